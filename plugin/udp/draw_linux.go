package udp

import (
	"os"
	"syscall"
)

const (
	addressInUse = syscall.EADDRINUSE
	forbidden    = syscall.EACCES
)

// reservedPorts are those that the administrator keeps for programs (ip_local_reserved_ports
// in Linux's ip-sysctl). It is read each time, for it may change.
func reservedPorts() string {
	list, _ := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
	return string(list)
}
