//go:build !linux && !darwin && !freebsd

package control

// peerOf is the user at the other end of a socket; -1: unknown.
func peerOf(int) int { return -1 }
