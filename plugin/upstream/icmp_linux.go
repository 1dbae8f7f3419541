package upstream

import (
	"net"
	"strings"
	"syscall"
)

// reportICMP makes the kernel tell a UDP socket of every ICMP error, also of
// those that routers send (host or network unreachable, prohibited). Without it
// only a closed port is told, and the others look like silence (ip(7),
// IP_RECVERR).
func reportICMP(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "udp") {
		return nil
	}
	return c.Control(func(fd uintptr) {
		// Best effort: a socket is of one family, and silence is handled too.
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVERR, 1)
		if network == "udp6" {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IPV6, syscall.IPV6_RECVERR, 1)
		}
	})
}

// forgetICMP empties the queue in which the kernel keeps the packets that ICMP
// errors are about; they would take up the space of replies.
func forgetICMP(conn net.Conn) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) {
		var packet, control [512]byte
		for range 1000 { // it is no longer than that
			if _, _, _, _, err := syscall.Recvmsg(int(fd), packet[:], control[:], syscall.MSG_ERRQUEUE|syscall.MSG_DONTWAIT); err != nil {
				return
			}
		}
	})
}
