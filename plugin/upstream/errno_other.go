//go:build !windows

package upstream

import "syscall"

var (
	refusals    = []syscall.Errno{syscall.ECONNREFUSED}
	passings    = []syscall.Errno{syscall.EPERM, syscall.ENOBUFS, syscall.EAGAIN}
	exhaustions = []syscall.Errno{syscall.EMFILE, syscall.ENFILE}
)
