package pool

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// quick is how long NODATA of an upstream that has the name waits for others at most (R4).
const quick = 100 * time.Millisecond

// ipv4only is the name that shows who makes IPv6 addresses, in wire format (RFC 7050).
const ipv4only = "\x08ipv4only\x04arpa\x00"

// LookAtTypes implements race.OtherTypes.
func (c *call) LookAtTypes(legs []race.OtherType) (beside bool) {
	question := wire.Question(c.race.plain.Msg)
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	if string(name) == ipv4only || checksSignatures(c.race.plain.Msg) {
		return false
	}
	if c.pool != nil { // before the look, so that nothing is missed
		c.pool.besides.join(string(name), c)
	}
	now, qtype := time.Now(), wire.QuestionType(question)
	answered := c.set.names.AnsweredBy(question, now)
	var known knowledge.Standing
	if c.set.zones != nil {
		known = c.set.zones.Standing(question, now)
	}
	switch {
	case known.Differ != 0 && !known.Inner:
		return false
	case answered == 0:
		return c.Plan.Alone && c.typeBeside(qtype)
	}
	prefers := c.set.cfg.Prefer != option.None
	for i := range min(len(legs), len(c.set.members)) {
		l := &legs[i]
		l.Answered, l.Sole, l.Most = answered.Has(i), !prefers && i == known.Knows.Sole(), c.set.members[i].mostFor(qtype)
		if known.Inner && !known.Knows.Has(i) && (c.Plan.Alone || !prefers) && c.Plan.With>>i&1 == 0 {
			l.Most = -1 // whoever knows nothing of an inner zone need not see its names
		}
	}
	return false
}

// mostFor is how long NODATA waits for the upstream's reply, as [race.OtherType] says: to the
// end if it may make the addresses, not at all if it is always slow, and else as long as it
// usually takes.
func (m *Member) mostFor(qtype uint16) time.Duration {
	usual, fastest := m.Usual()
	switch {
	case qtype == dns.TypeAAAA && m.Makes64():
		return 0
	case fastest > quick:
		return -1
	case usual == 0:
		return quick
	}
	return min(usual, quick)
}

// soon is when upstreams that are first used are asked whether they make IPv6 addresses, unless
// that is needed sooner: not in the way of the first query.
const soon = time.Second

// use has the upstreams of a set that is new asked for that. Nobody waits for one alone.
func (s *set) use() {
	if s.used.Swap(true) || len(s.members) < 2 {
		return
	}
	time.AfterFunc(soon, func() {
		for _, m := range s.members {
			m.Makes64()
		}
	})
}

// typeBeside reports whether a race for another type of the call's name is under way, of those
// that clients ask for together.
func (c *call) typeBeside(qtype uint16) bool {
	return c.pool != nil && slices.ContainsFunc([]uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}, func(other uint16) bool {
		return other != qtype && c.pool.calls.during(keyOf(ofType(c.race.plain, other)), c.set) != nil
	})
}

// besides are the calls that hold NODATA which an answer for another type of their name would
// make enough, by name. The zero value has none.
type besides struct {
	n      atomic.Int32
	mu     sync.Mutex
	byName map[string][]*call
}

// join adds a call, unless it is there.
func (b *besides) join(name string, c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.besideAs != "" {
		return
	}
	if b.byName == nil {
		b.byName = make(map[string][]*call)
	}
	c.besideAs = name
	b.byName[name] = append(b.byName[name], c)
	b.n.Add(1)
}

// leave removes a call whose race is over. Nothing but that race has it join.
func (b *besides) leave(c *call) {
	if c.besideAs == "" {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(b.byName[c.besideAs], func(other *call) bool { return other == c })
	if b.byName[c.besideAs] = rest; len(rest) == 0 {
		delete(b.byName, c.besideAs)
	}
	c.besideAs = ""
	b.n.Add(-1)
}

// answered tells those calls that the name of a question has an answer.
func (b *besides) answered(question []byte) {
	if b.n.Load() == 0 {
		return
	}
	var buf [255]byte
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.byName[string(wire.AppendName(buf[:0], question))] {
		c.race.race.Learned()
	}
}
