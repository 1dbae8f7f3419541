//go:build darwin || freebsd

package control

import "golang.org/x/sys/unix"

// peerOf is the user at the other end of a socket; -1: unknown.
func peerOf(fd int) (uid int) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return -1
	}
	return int(cred.Uid)
}
