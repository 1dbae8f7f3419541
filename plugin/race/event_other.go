//go:build !linux

package race

// newPollEvent returns nil: there is none.
func newPollEvent() pollEvent { return nil }
