package knowledge

import (
	"math"
	"sync/atomic"
	"time"
)

// surveyEvery is of how many races in a zone one asks everybody, so that knowledge stays
// true (R16).
const surveyEvery = 50

// farApart is how many comparisons in a row must show nothing in common before the
// answers in a zone are known to differ: one may be the freedom of those who serve it.
const farApart = 3

// Zones knows of some zones who has lately answered for names in them. A zone is here
// the parent of a name asked for; what nothing is known of belongs to the next zone
// above it, if a single upstream answers for that (R15). It may be used from any goroutine.
type Zones struct {
	zoneTable
	age      time.Duration // so long a survey counts
	returned atomic.Int64  // when one of the upstreams last came back, since epoch
}

// Standing is what is known when a name is asked for.
type Standing struct {
	Known    bool // something is
	Surveyed bool // everybody was asked not long ago
	Lead     int  // the upstream that has answered; -1: none
	Knows    Set  // who knows the names
	Lately   Set  // who has answered within an hour
	Heard    Set  // who has given an opinion of a name that somebody knows
	Differ   Set  // whose answers differ from others'
	Private  Set  // whose answers hold private addresses
}

// NewZones returns the knowledge of so many upstreams, which is none yet. What a survey
// has shown counts for age.
func NewZones(upstreams int, age time.Duration) *Zones {
	z := &Zones{zoneTable: zoneTable{n: min(upstreams, MaxUpstreams)}, age: age}
	z.returned.Store(math.MinInt64)
	return z
}

// Len is how many zones are known.
func (z *Zones) Len() int { return int(z.known.Load()) }

// Returned notes that an upstream is back: what others have learned meanwhile is to be
// seen anew.
func (z *Zones) Returned(now time.Time) { z.returned.Store(int64(instantOf(now).ran)) }

// ReturnedSince reports whether an upstream came back after that time.
func (z *Zones) ReturnedSince(since time.Time) bool {
	return int64(since.Sub(epoch)) < z.returned.Load()
}

// Enter notes that the question is about to be asked, and returns what is known of its
// zone. If that has not been surveyed, the caller has to ask everybody.
func (z *Zones) Enter(question []byte, now time.Time) Standing {
	s := Standing{Lead: -1}
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := &sh.places[i]
		e.used = true
		since := e.surveyed
		s.Surveyed = at.before(since.add(z.age)) && int64(since.ran) >= z.returned.Load() && e.races < surveyEvery-1
		e.races++
		if !s.Surveyed {
			e.surveyed, e.races = at, 0
		}
		s.read(z, sh, i, at)
	})
	return s
}

// Standing returns what is known of the zone of a question.
func (z *Zones) Standing(question []byte, now time.Time) Standing {
	s := Standing{Lead: -1}
	z.find(question, func(sh *zoneShard, i int, _ bool) { s.read(z, sh, i, instantOf(now)) })
	return s
}

// read takes what place i knows.
func (s *Standing) read(z *Zones, sh *zoneShard, i int, at instant) {
	e := &sh.places[i]
	s.Known, s.Lead = true, int(e.lead)
	differ := at.before(e.differed.add(memory))
	for j := range z.n {
		t := z.tally(sh, i, j)
		if t.score >= knows && t.within(z.age, at) {
			s.Knows |= Only(j)
		}
		if t.within(memory, at) && t.score > 0 {
			s.Lately |= Only(j)
		}
		if t.heard {
			s.Heard |= Only(j)
		}
		if t.differs && differ {
			s.Differ |= Only(j)
		}
		if t.private {
			s.Private |= Only(j)
		}
	}
}

// Good notes a good answer of an upstream, which holds private addresses or not.
func (z *Zones) Good(question []byte, by int, private bool, now time.Time) {
	if by >= z.n {
		return
	}
	at := instantOf(now)
	hit := func(sh *zoneShard, i int) {
		t := z.tally(sh, i, by)
		switch {
		case t.score == 0 && !t.heard, !t.within(max(z.age, memory), at):
			t.score = knows
		default:
			t.score = min(t.score+1, bestScore)
		}
		t.good, t.heard = at, true
		t.private = t.private || private
	}
	done := false
	var above []tally
	lead := int8(by)
	z.find(question, func(sh *zoneShard, i int, exact bool) {
		if exact || z.sole(sh, i, at) == by {
			hit(sh, i)
			done = true
			return
		}
		above = append(above, z.of(sh, i)...) // a zone of its own inherits them
		lead = sh.places[i].lead
	})
	if !done {
		z.create(question, at, lead, above, hit)
	}
}

// Missed notes that an upstream brought nothing good for a name that another, winner,
// knows: by what it said, or else by saying nothing for long.
func (z *Zones) Missed(question []byte, by, winner int, said bool, now time.Time) {
	if by >= z.n || winner >= z.n {
		return
	}
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		t := z.tally(sh, i, by)
		if !said {
			t.score -= min(t.score, 1)
			return
		}
		t.heard = true
		t.score -= min(t.score, knows)
		if e := &sh.places[i]; int(e.lead) == by {
			e.lead = int8(winner)
		}
	})
}

// Heard notes that an upstream has given an opinion of a name that another knows.
func (z *Zones) Heard(question []byte, by int, now time.Time) {
	if by < z.n {
		z.find(question, func(sh *zoneShard, i int, _ bool) { z.tally(sh, i, by).heard = true })
	}
}

// Compared notes what comparing the answers of two upstreams has shown. It reports
// whether answers in this zone are known to differ only since then.
func (z *Zones) Compared(question []byte, a, b int, d Difference, now time.Time) (turned bool) {
	if a >= z.n || b >= z.n || d == Incomparable {
		return false
	}
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := &sh.places[i]
		switch {
		case d == Alike:
			e.apart = 0
			return
		case d == Apart && e.apart < farApart:
			e.apart++
		}
		if d == Apart && e.apart < farApart {
			return
		}
		turned = !at.before(e.differed.add(memory))
		if turned {
			for j := range z.n {
				z.tally(sh, i, j).differs = false
			}
		}
		e.differed = at
		z.tally(sh, i, a).differs, z.tally(sh, i, b).differs = true, true
	})
	return turned
}

// Name is the zone of a question as it is known, in presentation format; empty if it
// is not.
func (z *Zones) Name(question []byte) (name string) {
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := &sh.places[i]
		name = presentation(e.name[:e.size])
	})
	return name
}

// sole is the only upstream that answers in the zone, or -1.
func (z *Zones) sole(sh *zoneShard, i int, at instant) int {
	var s Standing
	s.read(z, sh, i, at)
	return s.Lately.Sole()
}
