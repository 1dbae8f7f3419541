//go:build !unix

package ports

// fileLimit is how many file descriptors the process may have.
func fileLimit() int64 { return unlimited }
