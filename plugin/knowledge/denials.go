package knowledge

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// leastDenial is how long a denial is kept in mind at the least: caches do not forget
// one sooner either.
const leastDenial = 5 * time.Second

// denials are who has denied a name, or that it has records of a type, from when the
// first of them did until one of them may have changed its mind.
type denials struct {
	begun, ends instant
	by          Set
	qtype       uint16 // dns.TypeNone: the name
}

// add adds one, which ends then.
func (d *denials) add(by int, qtype uint16, now, ends instant) {
	if d.qtype != qtype || !now.before(d.ends) {
		*d = denials{begun: now, ends: ends, qtype: qtype}
	}
	d.by |= Only(by)
	if ends.ran < d.ends.ran {
		d.ends = ends
	}
}

// room is the place for denials of a type: that of the same type, or of the one that
// ends first. The first place is the name's.
func (k *known) room(qtype uint16) *denials {
	if qtype == dns.TypeNone {
		return &k.denials[0]
	}
	first := &k.denials[1]
	for i := range k.denials[1:] {
		d := &k.denials[1+i]
		if d.qtype == qtype {
			return d
		}
		if d.ends.wall < first.ends.wall {
			first = d
		}
	}
	return first
}

// found takes back what an upstream has denied that finds the name now, with records of
// a type or without.
func (k *known) found(by int, qtype uint16) {
	for i := range k.denials {
		if d := &k.denials[i]; i == 0 || d.qtype == qtype {
			d.by &^= Only(by)
		}
	}
}

// Denied takes NXDOMAIN or NODATA in reply to a question, which is kept in mind for as
// long as caches would keep it, at most for longest. Only of names that are known to
// exist it is of interest (R16).
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
	n.with(question, func(k *known) { k.room(qtype).add(by, qtype, at, at.add(min(life, longest))) })
}

// DeniedBy returns who has lately denied the name of a question or said that it has no
// such record, and since when at the least all of them do.
func (n *Names) DeniedBy(question []byte, now time.Time) (by Set, since time.Time) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		for i := range k.denials {
			d := &k.denials[i]
			if d.by == 0 || i > 0 && d.qtype != qtype || !at.before(d.ends) {
				continue
			}
			if begun := epoch.Add(d.begun.ran); by == 0 || begun.Before(since) {
				since = begun
			}
			by |= d.by
		}
	})
	return by, since
}

// Given notes whose answer to a question a client was given. Good answers and NODATA
// count, for as long as they prove that the name exists.
func (n *Names) Given(question []byte, by int, verdict race.Verdict, reply []byte, now time.Time) {
	life, ok := lifetime(reply, verdict)
	if !ok || verdict != race.Good && verdict != race.NoDataSOA {
		return
	}
	at := instantOf(now)
	n.with(question, func(k *known) {
		k.view = proof{at.add(life), int32(by), wire.QuestionType(question)}
	})
}

// View is whose view of the name of a question its clients have: who gave the answer to
// a question of another type that is still alive (R17).
func (n *Names) View(question []byte, now time.Time) (by int, ok bool) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		if k.view.qtype != qtype && k.view.alive(at) {
			by, ok = int(k.view.by), true
		}
	})
	return by, ok
}

// with calls f with what is known of the name of a question, if there is that.
func (n *Names) with(question []byte, f func(*known)) {
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	s, i := n.place(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.find(i, name); k != nil {
		f(k)
	}
}
