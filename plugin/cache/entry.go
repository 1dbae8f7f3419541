package cache

import (
	"encoding/binary"
	"math"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Kind is what a reply that is kept says.
type Kind uint8

const (
	Answer  Kind = iota
	Denial       // NXDOMAIN or NODATA, also at the end of a chain
	Failure      // nothing about the name
)

// Entry is a reply that is kept. It is the same for all clients; what is for one of them alone
// its server adds: the id, the question as written, flags of the query, EDNS.
type Entry[U any] struct {
	Kind         Kind
	Verdict      race.Verdict
	Inconclusive bool
	Givers       []U // whose reply it is, in the order of its parts; none: of no upstream
	Among        []U // who was asked

	key  string
	body body
	max  race.MaxTTL
	kept time.Time
	life time.Duration

	epoch   atomic.Uint64 // no change since that one concerns it
	counted atomic.Bool   // as one that a change has ended
	renewed atomic.Bool   // it is asked for again, before its end
	held    atomic.Pointer[hold]
}

// Reply is what a race has brought.
type Reply[U any] struct {
	race.Result                 // its Msg is what is given; nil: a reply without records, with Rcode
	Rcode         int           // of that
	Max           race.MaxTTL   // of its records, for clients
	Negative      time.Duration // how long a denial is kept that not all agree in
	Error         []byte        // an option with an extended error of our own (RFC 8914, section 2); empty: none
	Givers, Among []U
	Epoch         uint64 // when the race began
}

// newEntry returns the entry for a reply, or nil if it must not be kept.
func newEntry[U any](question []byte, r Reply[U], now time.Time) *Entry[U] {
	kind, keep := kindOf(r.Result)
	if !keep {
		return nil
	}
	b, ok := newBody(r.Msg, question, r.Rcode)
	if !ok {
		return nil
	}
	e := &Entry[U]{
		Kind: kind, Verdict: r.Verdict, Inconclusive: kind == Denial && !r.Conclusive(), Givers: r.Givers, Among: r.Among,
		body: b, max: r.Max, kept: now,
	}
	switch kind {
	case Answer:
		e.life = min(b.least(), maxAnswer)
	case Denial:
		e.life = denialLife(&b, e.Inconclusive, r.Negative)
	case Failure:
		e.life = failureLife
	}
	if e.life <= 0 {
		return nil
	}
	e.body.options = append(e.body.options, r.Error...)
	e.epoch.Store(r.Epoch)
	return e
}

// Due reports, once, that the reply should be asked for again, because its end is near.
func (e *Entry[U]) Due(age time.Duration) bool {
	return age >= e.life-e.life/10 && e.Kind != Failure && !e.renewed.Load() && !e.renewed.Swap(true)
}

// AppendTo appends the reply to b, as it is at that age; its question may have another case
// than the client's.
func (e *Entry[U]) AppendTo(b []byte, age time.Duration) []byte {
	first := len(b)
	b = append(b, e.body.msg...)
	msg := b[first:]
	old, left := uint32(age/time.Second), uint32(math.MaxUint32)
	if e.Kind == Denial {
		left = uint32((e.life - age + time.Second - 1) / time.Second)
	}
	for i, at := range e.body.ttls {
		ttl := binary.BigEndian.Uint32(msg[at:])
		ttl = min(ttl-min(ttl, old), left, e.body.most(i, e.max))
		binary.BigEndian.PutUint32(msg[at:], ttl)
	}
	return b
}

// AppendStale appends the reply to b, as it is after its end.
func (e *Entry[U]) AppendStale(b []byte) []byte {
	first := len(b)
	b = append(b, e.body.msg...)
	for _, at := range e.body.ttls {
		binary.BigEndian.PutUint32(b[first+int(at):], StaleTTL)
	}
	return b
}

// Len is the length of the reply in bytes.
func (e *Entry[U]) Len() int { return len(e.body.msg) }

// Rcode is that of the reply.
func (e *Entry[U]) Rcode() int { return wire.Header(e.body.msg).Rcode() }

// Signed reports whether the reply has signatures.
func (e *Entry[U]) Signed() bool { return wire.Signed(e.body.msg) }

// Options are the options of the reply, for clients with EDNS (RFC 6891, section 6.1.2).
func (e *Entry[U]) Options() []byte { return e.body.options }

// Kept is when the reply came, and Ends when its life is over unless a change ends it before.
func (e *Entry[U]) Kept() time.Time { return e.kept }
func (e *Entry[U]) Ends() time.Time { return e.kept.Add(e.life) }

// hold is since when the reply is given after its end without another race, and since which
// change.
type hold struct {
	begun time.Time
	epoch uint64
}

// Hold says that the giver was found to be away in a race that began in that epoch: for a
// moment nobody needs to find out again.
func (e *Entry[U]) Hold(epoch uint64, now time.Time) {
	e.held.Store(&hold{begun: now, epoch: epoch})
}

func (e *Entry[U]) heldAt(now time.Time, epoch uint64) bool {
	h := e.held.Load()
	return h != nil && h.epoch == epoch && Since(h.begun, now) < failureLife
}

// kindOf is what the outcome of a race says, and whether it may be kept.
func kindOf(r race.Result) (k Kind, keep bool) {
	switch {
	case r.Msg != nil && wire.Header(r.Msg).Truncated(), r.Verdict == race.Truncated, r.Verdict == race.Referral, r.Verdict.IsBogus():
		return Failure, false
	case r.Verdict.Negative(), r.DeniesType():
		return Denial, true
	case r.Verdict.Wins():
		return Answer, true
	}
	return Failure, true
}

// Since is how long after a time another one is. The monotonic clock cannot be set, and the
// wall clock goes on while the machine sleeps: what is over on either is over.
func Since(t, now time.Time) time.Duration {
	return max(now.Sub(t), time.Duration(now.UnixNano()-t.UnixNano()))
}
