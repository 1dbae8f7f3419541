package udp

import (
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	addressInUse = syscall.EADDRINUSE
	forbidden    = syscall.EACCES
)

// reservedPorts are those that the administrator keeps for programs (ip_local_reserved_ports
// in Linux's ip-sysctl). It is read each time, for it may change; and past the poller, in which
// such a file is always ready, and wakes a thread.
func reservedPorts() string {
	fd, err := unix.Open("/proc/sys/net/ipv4/ip_local_reserved_ports", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	file := os.NewFile(uintptr(fd), "reserved ports")
	defer file.Close()
	list, _ := io.ReadAll(file)
	return string(list)
}
