package knowledge

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// leastDenial is how long a denial is kept in mind at the least: caches do not forget
// one sooner either.
const leastDenial = 5 * time.Second

// denials are who has denied a name, from when the first of them did until one of them
// may have changed its mind.
type denials struct {
	by          Set
	begun, ends instant
}

// Denied takes a denial of the name of a question, which is kept in mind for as long as
// caches would keep it, at most for longest. Only of names that are known to exist it
// is of interest (R16).
func (n *Names) Denied(question []byte, by int, verdict race.Verdict, reply []byte, longest time.Duration, now time.Time) {
	if by >= MaxUpstreams {
		return
	}
	life := leastDenial
	if verdict == race.NXDomainSOA {
		if d, ok := lifetime(reply, race.NoDataSOA); ok {
			life = max(life, d)
		}
	}
	at := instantOf(now)
	ends := at.add(min(life, longest))
	n.with(question, func(k *known) {
		d := &k.denied
		if !at.before(d.ends) {
			*d = denials{begun: at, ends: ends}
		}
		d.by |= Only(by)
		if ends.ran < d.ends.ran {
			d.ends = ends
		}
	})
}

// DeniedBy returns who has lately denied the name of a question, and since when at the
// least all of them do.
func (n *Names) DeniedBy(question []byte, now time.Time) (by Set, since time.Time) {
	n.with(question, func(k *known) {
		if d := &k.denied; instantOf(now).before(d.ends) {
			by, since = d.by, epoch.Add(d.begun.ran)
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
	var room [255]byte
	name := wire.AppendName(room[:0], question)
	s, i := n.place(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.find(i, name); k != nil {
		f(k)
	}
}
