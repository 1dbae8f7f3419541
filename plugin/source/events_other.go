//go:build !linux

package source

// newFileEvents returns the system's own.
func newFileEvents() (fileEvents, error) { return newDirEvents() }
