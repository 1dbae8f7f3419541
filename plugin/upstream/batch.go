package upstream

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
)

// Batch is packets of several upstreams that leave together, such as the first ones of
// a race: in one system call if the upstreams share ports, where the system has such
// calls. It is for one goroutine.
type Batch struct {
	out     outbox // of the upstream that is being asked; here, for stacks of those that ask are small
	now     time.Time
	socket  int // which one of each upstream's is used; -1: it was not drawn yet
	packets ports.Batch
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
func (b *Batch) draw(random *ports.Random) int {
	if b == nil {
		return int(random.Uint16()) % ports.InUse
	}
	if b.socket < 0 {
		b.socket = int(random.Uint16()) % ports.InUse
	}
	return b.socket
}

// Send sends what is in the batch, which must not be used any more.
func (b *Batch) Send() {
	b.packets.Send()
	batches.Put(b)
}
