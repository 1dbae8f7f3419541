package ports

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// Owner is the upstream's side of a [Socket]. Its methods are called from any goroutine,
// with no lock of this package held.
type Owner interface {
	// Waits reports whether a reply with that id is waited for now, and whether one was
	// before.
	Waits(id uint16) (now, before bool)
	// Received takes a message of at least a header's size, which is valid until it returns.
	// It reports whether the message answers what was waited for with its id.
	Received(msg []byte, now instant.Time) (answers bool)
	// Failed reports an error that ICMP reports of a packet to the peer, and as much of that
	// packet as was quoted.
	Failed(err error, quoted []byte, now instant.Time)
	// NotSent reports why the packet with that id was not sent.
	NotSent(id uint16, err error)
}

// Socket is an upstream's part of a port.
type Socket struct {
	Peer  udp.Peer // of the upstream, as it was when the socket was opened
	owner Owner
	port  *port
}

// Age is how long the port has been open to guesses.
func (s *Socket) Age(now instant.Time) time.Duration { return now.Sub(s.port.born) }

// Ends is until when the port is in use.
func (s *Socket) Ends() instant.Time { return s.port.born.Add(s.port.life) }

// Retire has another port take the place of the socket's, for all upstreams.
func (s *Socket) Retire() { s.port.retiring.Store(true) }

// Retiring reports whether another port is to take the place of the socket's: it is old, or
// Retire or [Ports.Renew] was called.
func (s *Socket) Retiring(now instant.Time) bool { return s.port.retiringAt(now) }

// Close takes the socket off its port, which is closed with its last one.
func (s *Socket) Close() { s.port.remove(s) }

// Batch is packets that leave together: those from one port in one system call, where the
// system has such calls. Its zero value is empty; it is for one goroutine.
type Batch struct {
	bytes   []byte
	packets []udp.Packet
	sockets []*Socket // of each packet
}

// Add puts a message with an id of its own beside the others that leave from the socket's
// port. The message is copied.
func (b *Batch) Add(s *Socket, id uint16, msg []byte) {
	begin := len(b.bytes)
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, id)
	b.bytes = append(b.bytes, msg[2:]...)
	n := len(b.sockets)
	b.packets = append(b.packets, udp.Packet{Peer: s.Peer, Msg: b.bytes[begin:]})
	b.sockets = append(b.sockets, s)
	if n > 0 && b.sockets[n-1].port != s.port {
		b.sort()
	}
}

// sort moves the last packet beside the others from its port.
func (b *Batch) sort() {
	n := len(b.sockets) - 1
	for i := n; i > 0; i-- {
		if b.sockets[i-1].port == b.sockets[n].port {
			packet, socket := b.packets[n], b.sockets[n]
			b.packets, b.sockets = slices.Insert(b.packets[:n], i, packet), slices.Insert(b.sockets[:n], i, socket)
			return
		}
	}
}

// Send sends what is in the batch, reports to the owners what was not sent, and empties it.
func (b *Batch) Send() {
	for i := 0; i < len(b.packets); {
		port, n := b.sockets[i].port, 1
		for i+n < len(b.sockets) && b.sockets[i+n].port == port {
			n++
		}
		port.conn.Send(b.packets[i : i+n])
		i += n
	}
	for i := range b.packets {
		if p := &b.packets[i]; p.Err != nil {
			b.sockets[i].owner.NotSent(binary.BigEndian.Uint16(p.Msg), p.Err)
		}
	}
	clear(b.packets)
	clear(b.sockets)
	b.packets, b.sockets, b.bytes = b.packets[:0], b.sockets[:0], b.bytes[:0]
}
