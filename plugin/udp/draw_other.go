//go:build !windows && !linux

package udp

import "syscall"

const (
	addressInUse = syscall.EADDRINUSE
	forbidden    = syscall.EACCES
)

func reservedPorts() string { return "" }
