package udp

import (
	"io"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// conn is a socket that many packets leave and come by in one system call, and to
// which each error of ICMP is reported, with the peer that it is about (ip(7), IP_RECVERR).
type conn struct {
	socket   socket
	raw      syscall.RawConn
	fd       int32 // while it is open
	received Receiver
	vain     atomic.Int32 // errors that were read in a row, and are of nothing
	v6       bool
	linked   atomic.Bool // it reports by which link packets come (ip(7), IP_PKTINFO)
}

// socket is an [os.File] or a [net.UDPConn].
type socket interface {
	syscall.Conn
	io.Closer
}

// reportLinks has the socket report by which link packets come, from now on.
func (c *conn) reportLinks(fd uintptr) {
	if c.linked.Swap(true) {
		return
	}
	if c.v6 {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
}
