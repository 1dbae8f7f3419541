package udp

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inbox is where packets are read into.
type inbox struct {
	batch
	conn    *conn
	more    bool             // there may be, on conn
	take    func(fd uintptr) // takeFrom, bound once
	packets [maxBatch]Packet
	buffers [maxBatch][1 << 16]byte
}

func newInbox() *inbox {
	in := new(inbox)
	in.init()
	in.take = in.takeFrom
	for i := range in.data {
		in.data[i].Base = &in.buffers[i][0]
		in.data[i].SetLen(len(in.buffers[i]))
	}
	return in
}

// inboxes are those that nobody reads into, up to maxInboxes. It is no sync.Pool, which each
// garbage collection empties: an inbox is large, so to make it anew would bring on the next.
var inboxes struct {
	sync.Mutex
	free []*inbox
}

// maxInboxes is more than readers run at a time on most machines.
const maxInboxes = 16

func takeInbox() *inbox {
	inboxes.Lock()
	defer inboxes.Unlock()
	n := len(inboxes.free) - 1
	if n < 0 {
		return newInbox()
	}
	in := inboxes.free[n]
	inboxes.free = inboxes.free[:n]
	return in
}

func (in *inbox) release() {
	inboxes.Lock()
	defer inboxes.Unlock()
	if len(inboxes.free) < maxInboxes {
		inboxes.free = append(inboxes.free, in)
	}
}

// read takes a batch of packets, and reports whether there may be more.
func (c *conn) read(in *inbox) (more bool) {
	in.conn, in.more = c, false
	_ = c.raw.Control(in.take)
	in.conn = nil
	return in.more
}

// takeFrom takes it from conn, whose descriptor it is given.
func (in *inbox) takeFrom(fd uintptr) {
	c := in.conn
	n, errno := in.read(fd, c.linked.Load())
	switch errno {
	case 0:
		c.vain.Store(0)
		c.received(in.packets[:n])
		in.more = n == maxBatch
	case unix.EAGAIN:
	case unix.EINTR:
		in.more = true
	default: // it is in the queue of errors too, unless a sender has been there
		in.more = c.takeErrors(fd) > 0 || c.vain.Add(1) <= maxBatch
	}
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

// takeErrors hands on what the system reports of packets that were sent, and returns
// how many errors that were. They take up the space of replies otherwise.
func (c *conn) takeErrors(fd uintptr) (n int) {
	var packet, control [512]byte
	for ; n < 1000; n++ { // it is no longer than that
		quoted, size, _, to, err := unix.Recvmsg(int(fd), packet[:], control[:], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
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
				c.received([]Packet{{Peer: peer, Msg: packet[:quoted], Err: syscall.Errno(binary.NativeEndian.Uint32(m.Data))}})
			}
		}
	}
	return n
}
