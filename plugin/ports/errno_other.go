//go:build !windows

package ports

import "syscall"

var (
	refusals    = []syscall.Errno{syscall.ECONNREFUSED}
	transients  = []syscall.Errno{syscall.EPERM, syscall.ENOBUFS, syscall.EAGAIN}
	exhaustions = []syscall.Errno{syscall.EMFILE, syscall.ENFILE}
)
