package udp

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// conn is a socket that many packets leave and come by in one system call, and that is
// told of each error of ICMP, and which peer it is about (ip(7), IP_RECVERR).
type conn struct {
	udp      *net.UDPConn
	raw      syscall.RawConn
	received Receiver
	closed   atomic.Bool
	v6       bool
	linked   atomic.Bool // it tells by which link packets come (ip(7), IP_PKTINFO)
}

// Listen opens a socket for IPv6 or for IPv4, and has received take what comes.
func Listen(v6 bool, received Receiver) (Conn, error) {
	udp, err := listen(context.Background(), v6, 0)
	if err != nil {
		return nil, err
	}
	raw, err := udp.SyscallConn()
	if err != nil {
		udp.Close()
		return nil, err
	}
	c := &conn{udp: udp, raw: raw, received: received, v6: v6}
	_ = raw.Control(func(fd uintptr) { // best effort: silence and few packets are handled too
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer)
		if v6 {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVERR, 1)
		} else {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_RECVERR, 1)
		}
	})
	go c.read()
	return c, nil
}

// Close implements Conn. The system's socket is closed once nobody is in a call that
// uses it; that may be who calls.
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

// batch is what the system is told of packets. Of its memory only what packets have
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

// inbox is where packets are read into.
type inbox struct {
	batch
	packets [maxBatch]Packet
	buffers [maxBatch][1 << 16]byte
}

var inboxes = sync.Pool{New: func() any {
	in := new(inbox)
	in.init()
	for i := range in.data {
		in.data[i].Base = &in.buffers[i][0]
		in.data[i].SetLen(len(in.buffers[i]))
	}
	return in
}}

// read takes packets until the socket is closed. It is all one call of Read: so the
// poller, which tells of a packet once, tells of each that came since the last look, and
// a batch that is not full need not be followed by a call that finds nothing.
func (c *conn) read() {
	vain := 0
	_ = c.raw.Read(func(fd uintptr) bool {
		in := inboxes.Get().(*inbox) // a socket that waits has none
		defer inboxes.Put(in)
		for !c.closed.Load() {
			n, errno := in.read(fd, c.linked.Load())
			switch errno {
			case 0:
				vain = 0
				c.received(in.packets[:n])
				if n < maxBatch {
					return false
				}
			case unix.EAGAIN:
				return false
			case unix.EINTR:
			default: // it is in the queue of errors too, unless a sender has been there
				if c.takeErrors(fd) > 0 {
					vain = 0
				} else if vain++; vain > maxBatch {
					return false
				}
			}
		}
		return true
	})
}

// read reads a batch, if need be with the links that the packets came by.
func (in *inbox) read(fd uintptr, linked bool) (int, syscall.Errno) {
	size := 0
	if linked {
		size = len(in.links[0].data)
	}
	for i := range in.headers {
		in.headers[i].Hdr.Namelen = unix.SizeofSockaddrInet6
		in.headers[i].Hdr.SetControllen(size)
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&in.headers[0])), maxBatch, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	for i := range int(n) {
		p := Packet{Peer: peerOf(&in.names[i]), Msg: in.buffers[i][:in.headers[i].Len]}
		if size := in.headers[i].Hdr.Controllen; size > 0 && p.Peer.Link == 0 {
			p.Peer.Link = linkOf(in.links[i].data[:size])
		}
		in.packets[i] = p
	}
	return int(n), 0
}

// takeErrors hands on what the system has to say of packets that were sent, and returns
// how many errors that were. They take up the space of replies otherwise.
func (c *conn) takeErrors(fd uintptr) (n int) {
	var packet, control [512]byte
	for ; n < 1000; n++ { // it is no longer than that
		_, size, _, to, err := unix.Recvmsg(int(fd), packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		if err != nil {
			return n
		}
		var peer Peer
		switch to := to.(type) {
		case *unix.SockaddrInet4:
			peer.Addr = netip.AddrPortFrom(netip.AddrFrom4(to.Addr), uint16(to.Port))
		case *unix.SockaddrInet6:
			peer = Peer{netip.AddrPortFrom(netip.AddrFrom16(to.Addr), uint16(to.Port)), to.ZoneId}
		default:
			continue
		}
		if peer.Link == 0 {
			peer.Link = linkOf(control[:size])
		}
		messages, _ := unix.ParseSocketControlMessage(control[:size])
		for _, m := range messages {
			v4 := m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_RECVERR
			v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
			if (v4 || v6) && len(m.Data) >= 4 { // struct sock_extended_err begins with it
				c.received([]Packet{{Peer: peer, Err: syscall.Errno(binary.NativeEndian.Uint32(m.Data))}})
			}
		}
	}
	return n
}

// outbox is what is being sent.
type outbox struct {
	batch
	conn    *conn
	packets []Packet
	write   func(fd uintptr) // send, bound once
}

var outboxes = sync.Pool{New: func() any {
	out := new(outbox)
	out.init()
	out.write = out.send
	return out
}}

// Send implements Conn.
func (c *conn) Send(packets []Packet) {
	out := outboxes.Get().(*outbox)
	out.conn = c
	for len(packets) > 0 {
		n := min(len(packets), maxBatch)
		out.packets, packets = packets[:n], packets[n:]
		if err := c.raw.Control(out.write); err != nil {
			for i := range out.packets {
				out.packets[i].Err = err
			}
		}
	}
	out.conn, out.packets = nil, nil
	outboxes.Put(out)
}

// maxTries is how often a packet is sent before an error is taken for its own: one that
// ICMP reports of another packet is told to the next call on the socket, whatever that is.
const maxTries = 4

func (o *outbox) send(fd uintptr) {
	for i := range o.packets {
		p := &o.packets[i]
		h := &o.headers[i].Hdr
		h.Namelen = putPeer(&o.names[i], p.Peer)
		h.SetControllen(0)
		if p.Peer.bound() {
			o.conn.tellLinks(fd)
			h.SetControllen(o.links[i].put(o.conn.v6, p.Peer.Link))
		}
		o.data[i].Base = unsafe.SliceData(p.Msg)
		o.data[i].SetLen(len(p.Msg))
	}
	for sent, tries := 0, 0; sent < len(o.packets); {
		left := len(o.packets) - sent
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, fd, uintptr(unsafe.Pointer(&o.headers[sent])), uintptr(left), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0:
			for range n {
				o.packets[sent].Err = nil
				sent++
			}
			tries = 0
			if int(n) < left { // because of an error that no call has returned
				o.conn.takeErrors(fd)
			}
			continue
		case errno == unix.EINTR:
			continue
		case errno != unix.EAGAIN && tries < maxTries:
			if tries++; o.conn.takeErrors(fd) > 0 || tries == 1 {
				continue
			}
		}
		o.packets[sent].Err = errno
		sent++
		tries = 0
	}
	for i := range o.packets {
		o.data[i].Base = nil // it is not kept
	}
}

// tellLinks has the socket tell by which link packets come, from now on.
func (c *conn) tellLinks(fd uintptr) {
	if c.linked.Swap(true) {
		return
	}
	if c.v6 {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
	} else {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
}

// control is room for a control message that names a link.
type control struct {
	_    [0]unix.Cmsghdr // for its alignment
	data [unix.SizeofCmsghdr + unix.SizeofInet6Pktinfo + 4]byte
}

// put writes the link that a packet is to leave by, and returns the length.
func (c *control) put(v6 bool, link uint32) int {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&c.data))
	info := unsafe.Pointer(&c.data[unix.CmsgLen(0)])
	if v6 {
		h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
		*(*unix.Inet6Pktinfo)(info) = unix.Inet6Pktinfo{Ifindex: link}
		return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
	*(*unix.Inet4Pktinfo)(info) = unix.Inet4Pktinfo{Ifindex: int32(link)}
	return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
}

// linkOf reads the link that a packet came by from control messages; 0: they do not tell.
func linkOf(data []byte) uint32 {
	for len(data) >= unix.SizeofCmsghdr {
		h, info, rest, err := unix.ParseOneSocketControlMessage(data)
		switch {
		case err != nil:
			return 0
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(info) >= 4:
			return binary.NativeEndian.Uint32(info)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(info) >= unix.SizeofInet6Pktinfo:
			return binary.NativeEndian.Uint32(info[16:])
		}
		data = rest
	}
	return 0
}

// putPeer writes a peer as the system's structure, and returns its length.
func putPeer(to *unix.RawSockaddrInet6, p Peer) uint32 {
	if p.Addr.Addr().Is4() {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		*v4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(p.Addr.Port()), Addr: p.Addr.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	*to = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: swapped(p.Addr.Port()), Addr: p.Addr.Addr().As16(), Scope_id: p.Link}
	return unix.SizeofSockaddrInet6
}

// peerOf reads a peer from the system's structure.
func peerOf(from *unix.RawSockaddrInet6) Peer {
	if from.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		return Peer{Addr: netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), swapped(v4.Port))}
	}
	return Peer{Addr: netip.AddrPortFrom(netip.AddrFrom16(from.Addr), swapped(from.Port)), Link: from.Scope_id}
}

// swapped turns a port of the machine's order of bytes into one of the network's, or back.
func swapped(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}
