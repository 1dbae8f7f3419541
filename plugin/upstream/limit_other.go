//go:build !unix

package upstream

// fileLimit is how many file descriptors the process may have.
func fileLimit() int64 { return unlimited }
