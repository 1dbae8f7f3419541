package upstream

import (
	"sync"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Batch is packets of several upstreams that leave together, such as the first ones of
// a race: in one system call if the upstreams share ports, where the system has such
// calls. It is for one goroutine.
type Batch struct {
	out     outbox // of the upstream that is being asked; here, for stacks of those that ask are small
	now     instant.Time
	packets together
}

var batches = sync.Pool{New: func() any { return new(Batch) }}

// NewBatch returns an empty batch. It must be sent, and soon: what is asked counts as asked
// now.
func NewBatch() *Batch {
	b := batches.Get().(*Batch)
	b.now, b.packets.socket = instant.Now(), -1
	b.out.batch = &b.packets
	return b
}

// Send sends what is in the batch, which must not be used any more.
func (b *Batch) Send() {
	b.packets.Send()
	batches.Put(b)
}
