package pool

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// momentDenied is how long it is remembered that a name has no addresses: as long as clients
// usually take to ask for its other types, and upstreams to reply.
const momentDenied = 5 * time.Second

// lately are names that were denied a moment ago, as hashes; one may displace another. The zero
// value has none.
type lately struct {
	names [1 << 10]atomic.Uint64 // the upper bits of the hash, then ticks
}

var latelySeed = maphash.MakeSeed()

const (
	tick     = 1 << 24 // nanoseconds
	tickBits = 20      // five hours
)

// place is where a question's name is, and its hash without the bits of ticks.
func (l *lately) place(question []byte) (at *atomic.Uint64, hash uint64) {
	var buf [255]byte
	hash = maphash.Bytes(latelySeed, wire.AppendName(buf[:0], question))
	return &l.names[hash%uint64(len(l.names))], hash >> tickBits << tickBits
}

func ticks(now time.Time) uint64 { return uint64(instant.Of(now)/tick) % (1 << tickBits) }

// denied notes that the name of a question was denied.
func (l *lately) denied(question []byte, now time.Time) {
	at, hash := l.place(question)
	at.Store(hash | ticks(now))
}

// has reports whether the name of a question was denied a moment ago.
func (l *lately) has(question []byte, now time.Time) bool {
	at, hash := l.place(question)
	v := at.Load()
	return v>>tickBits<<tickBits == hash && (ticks(now)-v)%(1<<tickBits) <= uint64(momentDenied/tick)
}
