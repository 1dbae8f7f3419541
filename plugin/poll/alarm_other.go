//go:build !linux

package poll

// systemTimer returns nil: there is none.
func systemTimer(func()) timer { return nil }
