//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package link

import (
	"os"

	"golang.org/x/sys/unix"
)

// events opens a routing socket, which has something to read when interfaces, their
// addresses or routes change; see route(4).
func events() (wait func() error, end func(), err error) {
	fd, err := unix.Socket(unix.AF_ROUTE, unix.SOCK_RAW, unix.AF_UNSPEC)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil { // for the poller, which Close wakes
		unix.Close(fd)
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	f := os.NewFile(uintptr(fd), "route")
	buf := make([]byte, 1<<12)
	return func() error {
		_, err := f.Read(buf)
		return err
	}, func() { f.Close() }, nil
}
