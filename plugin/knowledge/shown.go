package knowledge

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Zone is what is known of a zone, for people.
type Zone struct {
	Name    string // in wire format and lower case
	Lead    int    // as in [Standing]
	Last    time.Time
	Differ  Set
	Private Set
	Inner   bool
	By      []Knower // all upstreams that have answered, or given an opinion of a name that exists
}

// Knower is what is known of an upstream in a zone.
type Knower struct {
	By      int
	Answers int       // good ones; 255 stands for as many and more
	Last    time.Time // of these; zero: there was none
	Knows   bool      // it was first to answer, or has answered as a knower did
	Lately  bool      // the last one was not long ago
	Replied bool      // it has given an opinion of a name that exists
}

// All calls f with each zone of which something is known, in no order, until it returns false. What
// is of the zone above alone is left out.
func (z *Zones) All(now time.Time, f func(Zone) bool) {
	at := instantOf(now)
	for s := range z.shards {
		for _, zone := range z.shards[s].shown(z, at, now) {
			if !f(zone) {
				return
			}
		}
	}
}

// shown are the zones of a shard.
func (sh *zoneShard) shown(z *Zones, at instant, now time.Time) (all []Zone) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i, e := range sh.places {
		if e == nil {
			continue
		}
		var s Standing
		s.read(z, sh, i, at)
		zone := Zone{Name: e.name, Lead: s.Lead, Differ: s.Differ, Private: s.Private, Inner: s.Inner}
		for j := range e.tallies {
			t := &e.tallies[j]
			if t.above || t.good == (instant{}) && !t.replied {
				continue
			}
			k := Knower{By: j, Answers: int(t.answers), Knows: s.Knows.Has(j), Lately: s.Lately.Has(j), Replied: t.replied}
			if t.good != (instant{}) {
				k.Last = now.Add(t.good.ran - at.ran)
				if k.Last.After(zone.Last) {
					zone.Last = k.Last
				}
			}
			zone.By = append(zone.By, k)
		}
		if len(zone.By) > 0 {
			all = append(all, zone)
		}
	}
	return all
}

// Sole is the only upstream that has lately answered in the zone of a question, and how often;
// -1: there is none, or several.
func (z *Zones) Sole(question []byte, now time.Time) (by, answers int) {
	by = -1
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		if by = z.sole(sh, i, at); by >= 0 {
			answers = int(z.tally(sh, i, by).answers)
		}
	})
	return by, answers
}

// Forget forgets zones, and returns how many: those for which is returns true.
func (z *Zones) Forget(is func(zone []byte) bool) (n int) {
	for s := range z.shards {
		n += z.shards[s].forget(is)
	}
	z.known.Add(-int64(n))
	return n
}

func (sh *zoneShard) forget(is func(zone []byte) bool) (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i, e := range sh.places {
		if e != nil && is([]byte(e.name)) {
			sh.places[i] = nil
			n++
		}
	}
	clear(sh.draws[:])
	return n
}

// ForgetOf forgets what an upstream has shown of zones, and returns of how many.
func (z *Zones) ForgetOf(by int) (n int) {
	if by >= z.n {
		return 0
	}
	for s := range z.shards {
		of, gone := z.shards[s].forgetOf(by)
		n += of
		z.known.Add(-int64(gone))
	}
	return n
}

// forgetOf returns of how many zones, and of how many of these nothing else was known.
func (sh *zoneShard) forgetOf(by int) (n, gone int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for i, e := range sh.places {
		if e == nil || e.tallies[by] == (tally{}) {
			continue
		}
		n++
		e.tallies[by] = tally{}
		if int(e.lead) == by {
			e.lead = -1
		}
		if !slices.ContainsFunc(e.tallies, func(t tally) bool { return t != (tally{}) }) {
			sh.places[i] = nil
			gone++
		}
	}
	return n, gone
}

// Forget forgets names, and returns how many: those for which is returns true.
func (n *Names) Forget(is func(name []byte) bool) (forgotten int) {
	n.each(func(place **known) bool {
		if is([]byte((*place).name)) {
			*place = nil
			forgotten++
		}
		return true
	})
	return forgotten
}

// ForgetOf forgets what an upstream has shown of names, and returns of how many.
func (n *Names) ForgetOf(by int) (forgotten int) {
	n.each(func(place **known) bool {
		k := *place
		if k.forgetOf(by) {
			forgotten++
			if k.owners == 0 && k.proofs == [2]proof{} {
				*place = nil
			}
		}
		return true
	})
	return forgotten
}

func (k *known) forgetOf(by int) (was bool) {
	for i := range k.proofs {
		if p := &k.proofs[i]; p.ends != (instant{}) && (p.by == int32(by) || p.all.Has(by)) {
			if p.all &^= Only(by); p.by == int32(by) {
				*p = proof{}
			}
			was = true
		}
	}
	was = was || k.owners.Has(by)
	k.owners &^= Only(by)
	for i := range k.denials {
		was = was || k.denials[i].by.Has(by)
		k.denials[i].by &^= Only(by)
	}
	if k.view.ends != (instant{}) && k.view.by == int32(by) {
		k.view = proof{}
	}
	if k.first.by == int32(by) {
		k.first = sample{}
	}
	return was
}

// Living calls f with each name for which an answer is alive, in no order, until it returns false.
func (n *Names) Living(now time.Time, f func(name []byte) bool) {
	at := instantOf(now)
	n.each(func(place **known) bool {
		for i := range (*place).proofs {
			if p := &(*place).proofs[i]; p.answer && p.alive(at) {
				return f([]byte((*place).name))
			}
		}
		return true
	})
}

// GoodBy are the upstreams whose answers to a question itself are alive.
func (n *Names) GoodBy(question []byte, now time.Time) (by Set) {
	at, qtype := instantOf(now), wire.QuestionType(question)
	n.with(question, func(k *known) {
		for i := range k.proofs {
			if p := &k.proofs[i]; p.qtype == qtype && p.answer && p.alive(at) {
				by |= p.all
			}
		}
	})
	return by
}

// each calls f with each name that is there, until it returns false.
func (t *nameTable) each(f func(place **known) bool) {
	for i := range t.shards {
		if !t.shards[i].each(f) {
			return
		}
	}
}

func (s *shard) each(f func(place **known) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sets == nil {
		return true
	}
	for i := range s.sets {
		for j := range s.sets[i] {
			if place := &s.sets[i][j]; *place != nil && !f(place) {
				return false
			}
		}
	}
	return true
}
