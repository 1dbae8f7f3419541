package link

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const canBind = true

func bind(fd uintptr, v6 bool, index uint32) error {
	level, option := unix.IPPROTO_IP, unix.IP_BOUND_IF
	if v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_BOUND_IF
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), level, option, int(index)))
}

// leadsTo assumes that each interface has routes of its own, as scoped routing gives it.
func leadsTo(uint32, netip.Addr) bool { return true }
