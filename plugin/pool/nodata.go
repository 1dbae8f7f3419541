package pool

import (
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

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
	if c.set.cfg.Learns() {
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
