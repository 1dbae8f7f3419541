// Package knowledge holds what was learned from replies: which names exist, and which
// upstreams know which zone. Its tables are bounded. It knows no sockets.
package knowledge

import (
	"encoding/binary"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Bounds of how long a proof lives.
const (
	minLife = time.Second
	maxLife = time.Hour
)

// leastDenial is how long a denial is remembered at the least, as in caches.
const leastDenial = 5 * time.Second

// Names are names that are known to exist, and which upstream has shown that (R18). The zero
// value knows none. Its methods may be called from any goroutine.
type Names struct {
	nameTable
}

// Replied takes an upstream's reply to a question, which is as in [wire.Question], with its
// verdict. A good answer, an alias or NODATA with SOA proves that the name exists while a cache
// would keep it, at most for an hour. A denial by the same upstream ends that, but for its
// answers for other types: there are servers that deny a name for a type that it lacks (RFC
// 4074, section 4.2). If there is such an answer, its type is returned, for it is doubtful
// now; else 0. Upstreams have numbers of the caller's choice.
func (n *Names) Replied(question []byte, by int, verdict race.Verdict, reply []byte, now time.Time) (doubtful uint16) {
	switch verdict {
	case race.Good, race.Alias, race.NoDataSOA:
		if life, ok := lifetime(reply, verdict); ok {
			now := instantOf(now)
			p := proof{ends: now.add(life), by: int32(by), qtype: wire.QuestionType(question), answer: verdict == race.Good}
			if p.answer {
				p.all = Only(by)
			}
			n.learn(question, p, now)
		}
	case race.NXDomain, race.NXDomainSOA, race.NXDomainChain:
		at, qtype := instantOf(now), wire.QuestionType(question)
		n.with(question, func(k *known) { doubtful = k.denied(by, qtype, verdict == race.NXDomainChain, at) })
	}
	return doubtful
}

// Exists reports whether the name of a question is proven to exist by a reply for another
// type.
func (n *Names) Exists(question []byte, now time.Time) bool {
	return n.proven(question, now, func(*proof) bool { return true })
}

// Answered is Exists, by an answer.
func (n *Names) Answered(question []byte, now time.Time) bool {
	return n.proven(question, now, func(p *proof) bool { return p.answer })
}

// AnsweredBy returns the upstreams whose answers for other types of the name are alive.
func (n *Names) AnsweredBy(question []byte, now time.Time) (by Set) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		for i := range k.proofs {
			if p := &k.proofs[i]; p.qtype != qtype && p.alive(at) {
				by |= p.all
			}
		}
	})
	return by
}

// proven reports whether a proof of another type than the one asked for is alive, and counts.
func (n *Names) proven(question []byte, now time.Time, counts func(*proof) bool) (is bool) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		for j := range k.proofs {
			p := &k.proofs[j]
			is = is || p.qtype != qtype && p.alive(at) && counts(p)
		}
	})
	return is
}

func (n *Names) learn(question []byte, p proof, now instant) {
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	s, i := n.place(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(i, name)
	if k == nil {
		if s.sets == nil {
			s.sets = new([sets]nameSet)
		}
		k = s.sets[i].leastUseful()
		*k = known{}
		k.name = string(name) // not at once: stacks of those that ask are small
	}
	k.found(int(p.by), p.qtype)
	k.add(&p, now)
}

// Owned notes that an upstream has given that answer to a question. It counts for names that
// are known to exist.
func (n *Names) Owned(question []byte, by int, answer []byte) {
	if by >= MaxUpstreams {
		return
	}
	n.with(question, func(k *known) {
		if k.owners&^Only(by) == 0 {
			k.first = sampleOf(answer, by)
		}
		k.owners |= Only(by)
	})
}

// Disowned notes that an upstream denies a name for which another one gives that answer. It reports whether the upstream had answered the name before, and whether with
// addresses that the other's are like.
func (n *Names) Disowned(question []byte, by int, answer []byte) (own, alike bool) {
	n.with(question, func(k *known) {
		if own = k.owners.Has(by); own {
			alike = k.first.by == int32(by) && k.first.like(answer)
			k.owners &^= Only(by)
		}
	})
	return own, alike
}

// Denied takes NXDOMAIN or NODATA in reply to a question. It is remembered for as long as
// caches would keep it, at most for longest, and only for names that are known to exist
// (R16).
func (n *Names) Denied(question []byte, by int, verdict race.Verdict, reply []byte, longest time.Duration, now time.Time) {
	if by >= MaxUpstreams {
		return
	}
	life, qtype := leastDenial, uint16(dns.TypeNone)
	switch verdict {
	case race.NXDomain:
	case race.NXDomainSOA, race.NoDataSOA:
		if d, ok := lifetime(reply, race.NoDataSOA); ok {
			life = max(life, d)
		}
	default:
		return
	}
	if verdict == race.NoDataSOA {
		qtype = wire.QuestionType(question)
	}
	at := instantOf(now)
	n.with(question, func(k *known) { k.denialsOf(qtype).add(by, qtype, at, at.add(min(life, longest))) })
}

// Past is what upstreams have said of a name before.
type Past struct {
	Denied Set       // those that have lately denied the name, or the type asked for
	Since  time.Time // when the first of these did
	Owners Set       // those that have answered the name, for whatever type
}

// Past returns what upstreams have said of the name of a question before.
func (n *Names) Past(question []byte, now time.Time) (past Past) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		past.Owners = k.owners
		for i := range k.denials {
			d := &k.denials[i]
			if d.by == 0 || i > 0 && d.qtype != qtype || !at.before(d.ends) {
				continue
			}
			if begun := epoch.Add(d.begun.ran); past.Denied == 0 || begun.Before(past.Since) {
				past.Since = begun
			}
			past.Denied |= d.by
		}
	})
	return past
}

// Given notes whose answer to a question was given to a client. Good answers and NODATA
// count, for as long as they prove that the name exists.
func (n *Names) Given(question []byte, by int, verdict race.Verdict, reply []byte, now time.Time) {
	life, ok := lifetime(reply, verdict)
	if !ok || !verdict.Wins() && verdict != race.NoDataSOA {
		return
	}
	at := instantOf(now)
	n.with(question, func(k *known) {
		k.view = proof{ends: at.add(life), by: int32(by), qtype: wire.QuestionType(question)}
	})
}

// View is the upstream whose answer for another type of the name clients have, if that is
// still alive (R17).
func (n *Names) View(question []byte, now time.Time) (by int, ok bool) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		if k.view.qtype != qtype && k.view.alive(at) {
			by, ok = int(k.view.by), true
		}
	})
	return by, ok
}

// lifetime is how long a reply proves that its name exists: an answer by its least TTL,
// NODATA by its SOA (RFC 2308, section 5). A malformed reply proves nothing.
func lifetime(reply []byte, verdict race.Verdict) (life time.Duration, ok bool) {
	least := uint32(maxLife / time.Second)
	err := wire.Records(reply, func(r wire.Record) bool {
		ttl := r.TTL
		switch {
		case verdict.Wins() && r.Section != wire.Answer, r.Section == wire.Additional:
			return false
		case verdict == race.NoDataSOA && r.Type != dns.TypeSOA:
			return true
		case verdict == race.NoDataSOA && len(r.Data) >= 4: // its last field is MINIMUM
			ttl = min(ttl, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:]))
		}
		if ttl > 1<<31-1 { // RFC 2181, section 8
			ttl = 0
		}
		least = min(least, ttl)
		return true
	})
	return max(minLife, time.Duration(least)*time.Second), err == nil
}
