package udp

import (
	"net"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
		if c.raw.Control(out.write) != nil {
			for i := range out.packets {
				out.packets[i].Err = net.ErrClosed
			}
		}
	}
	out.conn, out.packets = nil, nil
	outboxes.Put(out)
}

// maxTries is how often a packet is sent before an error is taken for its own: one that
// ICMP reports of another packet is returned by the next call on the socket, whatever that is.
const maxTries = 4

func (o *outbox) send(fd uintptr) {
	for i := range o.packets {
		p := &o.packets[i]
		h := &o.headers[i].Hdr
		h.Namelen = putPeer(&o.names[i], p.Peer)
		h.SetControllen(0)
		if p.Peer.bound() {
			o.conn.reportLinks(fd)
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
