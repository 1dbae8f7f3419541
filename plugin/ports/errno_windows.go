package ports

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// Windows has numbers of its own for sockets, which package syscall's are not: those
// never come from the system. A packet that the firewall drops is one that is forbidden.
var (
	refusals    = []syscall.Errno{windows.WSAECONNRESET, windows.WSAECONNREFUSED, syscall.ECONNREFUSED}
	transients  = []syscall.Errno{windows.WSAEACCES, windows.WSAENOBUFS, windows.WSAEWOULDBLOCK, syscall.EPERM, syscall.ENOBUFS, syscall.EAGAIN}
	detachments = []syscall.Errno{windows.WSAENETUNREACH, windows.WSAEHOSTUNREACH, windows.WSAENETDOWN, windows.WSAEADDRNOTAVAIL, windows.WSAEINVAL, syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.ENODEV, syscall.ENXIO, syscall.EADDRNOTAVAIL, syscall.EINVAL}
	exhaustions = []syscall.Errno{windows.WSAEMFILE, windows.WSAENOBUFS, syscall.EMFILE, syscall.ENFILE}
)
