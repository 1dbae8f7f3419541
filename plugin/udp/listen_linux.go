package udp

import (
	"net"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is a socket that many packets leave and come by in one system call, and to
// which each error of ICMP is reported, with the peer that it is about (ip(7), IP_RECVERR).
type conn struct {
	udp      *net.UDPConn
	raw      syscall.RawConn
	received Receiver
	closed   atomic.Bool
	v6       bool
	linked   atomic.Bool // it reports by which link packets come (ip(7), IP_PKTINFO)
}

// Use has received take what comes on a socket that [Open] has opened, for the same family. If
// that fails the socket is closed.
func Use(udp *net.UDPConn, v6 bool, received Receiver) (Conn, error) {
	raw, err := udp.SyscallConn()
	if err != nil {
		udp.Close()
		return nil, err
	}
	c := &conn{udp: udp, raw: raw, received: received, v6: v6}
	// Best effort: silence and few packets are handled too. What ICMP says of the size of
	// packets is ignored, for anyone can say it: queries are small.
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer)
		if v6 {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_OMIT)
		} else {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
		}
	})
	go c.read()
	return c, nil
}

// Close implements Conn. The system's socket is closed once no call uses it; the caller may be in one.
func (c *conn) Close() {
	c.closed.Store(true)
	go c.udp.Close()
}

// Drops implements Conn.
func (c *conn) Drops() (n uint64) {
	const drops = 8 // SK_MEMINFO_DROPS
	_ = c.raw.Control(func(fd uintptr) {
		var info [drops + 1]uint32
		size := uint32(unsafe.Sizeof(info))
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
		if errno == 0 && size == uint32(unsafe.Sizeof(info)) {
			n = uint64(info[drops])
		}
	})
	return n
}

// maxBatch is how many packets are sent or read in one system call.
const maxBatch = 16

// batch is what the system is given of packets. Of its memory only what packets have
// filled is ever used.
type batch struct {
	headers [maxBatch]unix.Mmsghdr
	data    [maxBatch]unix.Iovec
	names   [maxBatch]unix.RawSockaddrInet6 // or the shorter ones of IPv4
	links   [maxBatch]control               // that packets leave or came by, if it matters
}

func (b *batch) init() {
	for i := range b.headers {
		h := &b.headers[i].Hdr
		h.Iov = &b.data[i]
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		h.Control = (*byte)(unsafe.Pointer(&b.links[i]))
	}
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
