//go:build !windows

package ports

import "syscall"

var (
	refusals    = []syscall.Errno{syscall.ECONNREFUSED}
	transients  = []syscall.Errno{syscall.EPERM, syscall.ENOBUFS, syscall.EAGAIN}
	detachments = []syscall.Errno{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.ENODEV, syscall.ENXIO, syscall.EADDRNOTAVAIL, syscall.EINVAL}
	exhaustions = []syscall.Errno{syscall.EMFILE, syscall.ENFILE}
)
