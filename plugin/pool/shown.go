package pool

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// What follows shows people what is known, and changes nothing.

// Account is where it is counted what becomes of the upstream's part in races; nil: it is not.
func (m *Member) Account() *account.Upstream { return m.account }

// Zone is what is known of a zone. Its upstreams are numbered as in Members.
type Zone struct {
	knowledge.Zone
	Members []*Member
}

// Zones calls f with each zone of which something is known, in no order, until it returns false.
func (p *Pool) Zones(now time.Time, f func(Zone) bool) {
	s := p.set.Load()
	for _, part := range append([]*set{s}, s.parts...) {
		if part.zones == nil {
			continue
		}
		more := true
		part.zones.All(now, func(z knowledge.Zone) bool {
			more = f(Zone{z, part.members})
			return more
		})
		if !more {
			return
		}
	}
}

// Sole is the only upstream that has lately answered in the zone of a question, with how often it
// has, and the zone; nil: there is none, or several.
func (p *Pool) Sole(question []byte, now time.Time) (m *Member, answers int, zone string) {
	s := p.set.Load().route(question)
	if s.zones == nil {
		return nil, 0, ""
	}
	by, answers := s.zones.Sole(question, now)
	if by < 0 {
		return nil, 0, ""
	}
	return s.members[by], answers, s.zones.Name(question)
}

// Differing are the upstreams whose answers in the zone of a question differ.
func (p *Pool) Differing(question []byte, now time.Time) []*Member {
	s := p.set.Load().route(question)
	if s.zones == nil {
		return nil
	}
	return s.in(s.zones.Standing(question, now).Differ)
}

// GoodBy are the upstreams whose answers to a question are alive.
func (p *Pool) GoodBy(question []byte, now time.Time) []*Member {
	s := p.set.Load().route(question)
	return s.in(s.names.GoodBy(question, now))
}

// Living calls f with each name for which an answer is alive, in no order, until it returns false.
// F must not call the pool.
func (p *Pool) Living(now time.Time, f func(name []byte) bool) {
	s := p.set.Load()
	for _, part := range append([]*set{s}, s.parts...) {
		part.names.Living(now, f)
	}
}

// in are the members of a set of upstreams.
func (s *set) in(some knowledge.Set) (members []*Member) {
	for i, m := range s.members {
		if some.Has(i) {
			members = append(members, m)
		}
	}
	return members
}

// Latency is how long the good answers of an upstream take: half of them no longer than that, and
// 95 %; 0: there were none.
func (p *Pool) Latency(m *Member) (median, p95 time.Duration) {
	s := p.set.Load()
	for i, other := range s.members {
		if other == m && i < len(s.latencies) {
			return s.latencies[i].Median(), s.latencies[i].P95()
		}
	}
	return 0, 0
}

// Among are all upstreams of the race.
func (t *Told) Among() []*Member { return t.Race.Members }

// Signed reports whether the client checks signatures.
func (t *Told) Signed() bool { return checksSignatures(t.Race.plain.Msg) }

// LeastTTL is for how many seconds clients may keep the reply; ok is false if they may not, for
// want of records, or if there is no reply.
func (t *Told) LeastTTL(negative time.Duration) (ttl uint32, ok bool) {
	if t.Leg < 0 || t.Msg == nil {
		return 0, false
	}
	return race.LeastTTL(t.Msg, t.Verdict, t.MaxTTL(negative))
}

// NameOf is the name of a question in wire format and lower case.
func NameOf(question []byte) []byte { return wire.AppendName(nil, question) }
