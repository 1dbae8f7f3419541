package control

import (
	"net"

	"golang.org/x/sys/unix"
)

// uidOf is the user at the other end of a connection; -1: unknown.
func uidOf(c *net.UnixConn) (uid int) {
	uid = -1
	raw, err := c.SyscallConn()
	if err != nil {
		return uid
	}
	raw.Control(func(fd uintptr) {
		if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid
}
