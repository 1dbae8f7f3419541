package pool

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// momentDenied is how long it is remembered that a name has no address of a type: as long as
// clients usually take to ask for its other types, and upstreams to reply.
const momentDenied = 5 * time.Second

// lately are types of names that all upstreams denied a moment ago, as hashes; one may displace
// another. The zero value has none.
type lately struct {
	names   [1 << 10]atomic.Uint64 // the upper bits of the hash, then ticks
	changed atomic.Int64           // the instant of the last change of the upstreams: what began before does not count
}

var latelySeed = maphash.MakeSeed()

const (
	tick     = 1 << 24 // nanoseconds
	tickBits = 20      // five hours
)

// place is where a type of a question's name is, and its hash without the bits of ticks. After
// another change it is another one.
func (l *lately) place(question []byte, qtype uint16, changed int64) (at *atomic.Uint64, hash uint64) {
	var buf [255 + 2 + 8]byte
	key := binary.BigEndian.AppendUint16(wire.AppendName(buf[:0], question), qtype)
	hash = maphash.Bytes(latelySeed, binary.BigEndian.AppendUint64(key, uint64(changed)))
	return &l.names[hash%uint64(len(l.names))], hash >> tickBits << tickBits
}

func ticks(t time.Time) uint64 { return uint64(instant.Of(t)/tick) % (1 << tickBits) }

// denied notes that the name of a question was denied for its type, by a race that began then.
func (l *lately) denied(question []byte, begun time.Time) {
	changed := l.changed.Load()
	if int64(instant.Of(begun)) < changed {
		return
	}
	at, hash := l.place(question, wire.QuestionType(question), changed)
	at.Store(hash | ticks(begun))
}

// has reports whether the name of a question was denied for that type a moment ago.
func (l *lately) has(question []byte, qtype uint16, now time.Time) bool {
	at, hash := l.place(question, qtype, l.changed.Load())
	v := at.Load()
	return v>>tickBits<<tickBits == hash && (ticks(now)-v)%(1<<tickBits) <= uint64(momentDenied/tick)
}

// forget forgets all, because upstreams may know other names from now on.
func (l *lately) forget(now time.Time) { l.changed.Store(int64(instant.Of(now))) }
