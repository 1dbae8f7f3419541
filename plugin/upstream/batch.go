package upstream

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// Batch is packets of several upstreams that leave together, such as the first ones of
// a race: in one system call if the upstreams share ports, where the system has such
// calls. It is for one goroutine.
type Batch struct {
	out     outbox // of the upstream that is being asked; here, for stacks of those that ask are small
	now     time.Time
	socket  int // which one of each upstream's is used; -1: it was not drawn yet
	bytes   []byte
	packets []udp.Packet
	senders []sender // of each packet
}

type sender struct {
	x *Exchange
	s *socket
}

var batches = sync.Pool{New: func() any { return new(Batch) }}

// NewBatch returns an empty batch. It must be sent, and soon: what is asked counts as asked
// now.
func NewBatch() *Batch {
	b := batches.Get().(*Batch)
	b.now, b.socket = time.Now(), -1
	return b
}

// Ask asks u as [Upstream.Ask] does, but what is to be sent over UDP at once is left to
// Send.
func (b *Batch) Ask(u *Upstream, q *Query, to Receiver) (x *Exchange, wake time.Time) {
	return u.ask(q, to, b)
}

func (b *Batch) outbox() *outbox {
	b.out.batch = b
	return &b.out
}

// draw returns which of an upstream's sockets is used.
func (b *Batch) draw(random *random) int {
	if b == nil {
		return int(random.uint16()) % maxSockets
	}
	if b.socket < 0 {
		b.socket = int(random.uint16()) % maxSockets
	}
	return b.socket
}

// add puts a packet beside the others that leave from its port.
func (b *Batch) add(x *Exchange, s *socket, id uint16, msg []byte) {
	begin := len(b.bytes)
	b.bytes = binary.BigEndian.AppendUint16(b.bytes, id)
	b.bytes = append(b.bytes, msg[2:]...)
	n := len(b.senders)
	b.packets = append(b.packets, udp.Packet{Peer: s.peer, Msg: b.bytes[begin:]})
	b.senders = append(b.senders, sender{x, s})
	if n > 0 && b.senders[n-1].s.port != s.port {
		b.sort()
	}
}

// sort moves the last packet beside the others from its port.
func (b *Batch) sort() {
	n := len(b.senders) - 1
	for i := n; i > 0; i-- {
		if b.senders[i-1].s.port == b.senders[n].s.port {
			packet, sender := b.packets[n], b.senders[n]
			b.packets, b.senders = slices.Insert(b.packets[:n], i, packet), slices.Insert(b.senders[:n], i, sender)
			return
		}
	}
}

// Send sends what is in the batch, which must not be used any more.
func (b *Batch) Send() {
	for i := 0; i < len(b.packets); {
		port, n := b.senders[i].s.port, 1
		for i+n < len(b.senders) && b.senders[i+n].s.port == port {
			n++
		}
		port.conn.Send(b.packets[i : i+n])
		i += n
	}
	for i := range b.packets {
		if err := b.packets[i].Err; err != nil {
			x := b.senders[i].x
			x.u.notSent(x, b.senders[i].s, err)
		}
	}
	clear(b.packets)
	clear(b.senders)
	b.packets, b.senders, b.bytes = b.packets[:0], b.senders[:0], b.bytes[:0]
	batches.Put(b)
}
