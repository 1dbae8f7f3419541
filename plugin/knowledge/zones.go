package knowledge

import (
	"math"
	"sync/atomic"
	"time"
)

// surveyEvery: of so many races in a zone one asks all upstreams, so that what is known
// stays true (R16).
const surveyEvery = 50

// farApart is how many comparisons in a row must show nothing in common before the
// answers in a zone are known to differ: a server may choose among many addresses.
const farApart = 3

// Zones are zones, and which upstreams have lately answered for names in them. A zone is here
// the parent of a name asked for; if nothing is known of it, it is the next one above for
// which a single upstream has answered (R15). Its methods may be called from any goroutine.
type Zones struct {
	zoneTable
	age      time.Duration // how long a survey counts
	returned atomic.Int64  // when an upstream last came back, since epoch
}

// Standing is what is known of a zone.
type Standing struct {
	Surveyed bool // all upstreams were asked not long ago
	Lead     int  // the upstream that was first to answer, or took the place of that; -1: nothing is known
	Alone    bool // it knows names that other knowers do not
	Inner    bool // the zone is its own, by that or by its private addresses
	Knows    Set  // those that know the names
	Lately   Set  // those that have answered within an hour
	Replied  Set  // those that have given an opinion of a name that exists
	Differ   Set  // those whose answers differ from others'
	Private  Set  // those whose answers have private addresses
}

// NewZones returns an empty table for a number of upstreams. A survey counts for age.
func NewZones(upstreams int, age time.Duration) *Zones {
	z := &Zones{zoneTable: zoneTable{n: min(upstreams, MaxUpstreams)}, age: age}
	z.returned.Store(math.MinInt64)
	return z
}

// Len is the number of zones that are known.
func (z *Zones) Len() int { return int(z.known.Load()) }

// Returned notes that an upstream is back, so that earlier surveys do not count any more.
func (z *Zones) Returned(now time.Time) { z.returned.Store(int64(instantOf(now).ran)) }

// ReturnedSince reports whether an upstream came back after that time.
func (z *Zones) ReturnedSince(since time.Time) bool {
	return int64(since.Sub(epoch)) < z.returned.Load()
}

// Enter counts a race, and returns what is known of the question's zone. If that is not
// surveyed, the caller has to ask all upstreams. Races for several types of a name within a
// moment count as one.
func (z *Zones) Enter(question []byte, now time.Time) Standing {
	s := Standing{Lead: -1}
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := sh.places[i]
		e.used = true
		if d, again := z.draw(sh, question, at); again {
			s.Surveyed = !d.survey
		} else {
			since := e.surveyed
			s.Surveyed = at.before(since.add(z.age)) && int64(since.ran) >= z.returned.Load() && e.races < surveyEvery-1
			e.races++
			if !s.Surveyed {
				e.surveyed, e.races = at, 0
			}
			d.survey = !s.Surveyed
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

// read reads place i of a shard.
func (s *Standing) read(z *Zones, sh *zoneShard, i int, at instant) {
	e := sh.places[i]
	if s.Lead = e.leader(at); s.Lead >= 0 {
		s.Alone, s.Inner = e.tallies[s.Lead].alone, e.tallies[s.Lead].own()
	}
	differ := at.before(e.differed.add(memory))
	for j := range z.n {
		t := z.tally(sh, i, j)
		if t.knower && t.score >= knows && t.within(z.age, at) {
			s.Knows |= Only(j)
		}
		if t.within(memory, at) && t.score > 0 {
			s.Lately |= Only(j)
		}
		if t.replied {
			s.Replied |= Only(j)
		}
		if t.differs && differ {
			s.Differ |= Only(j)
		}
		if t.private {
			s.Private |= Only(j)
		}
	}
}

// Good notes a good answer of an upstream, with private addresses or without. In a zone that
// nobody leads it becomes the leader. Elsewhere one answer shows nothing of the zone: whoever
// answers every name would know all zones.
func (z *Zones) Good(question []byte, by int, private bool, now time.Time) {
	if by >= z.n {
		return
	}
	at := instantOf(now)
	hit := func(sh *zoneShard, i int) {
		e, t := sh.places[i], z.tally(sh, i, by)
		switch {
		case t.score == 0 && !t.replied, !t.within(max(z.age, memory), at):
			t.score = knows
		default:
			t.score = min(t.score+1, bestScore)
		}
		if e.leader(at) < 0 && (t.knower || !e.hasKnower(z.age, at)) {
			e.lead, t.knower, t.alone = int8(by), true, false
		}
		t.good, t.replied, t.above = at, true, false
		t.answers += min(1, manyAnswers-t.answers)
		t.private = t.private || private
	}
	done := false
	var above []tally
	lead := int8(-1)
	z.find(question, func(sh *zoneShard, i int, exact bool) {
		if exact || z.sole(sh, i, at) == by {
			hit(sh, i)
			done = true
			return
		}
		above = append(above, z.of(sh, i)...) // a zone of its own inherits them
		for j := range above {
			above[j].above, above[j].answers = true, 0
		}
		lead = sh.places[i].lead
	})
	if !done {
		z.create(question, at, lead, above, hit)
	}
}

// Miss is how an upstream had no good answer for a name that another one has.
type Miss struct {
	Denied bool // it denied the name
	Silent bool // it was slow; else it has replied otherwise
	Own    bool // it has answered the name before
	Alike  bool // and as the other one does now
}

// Missed notes that an upstream had no good answer for a name that the winner has. It counts
// against the upstream only if the name was its own: others may make up names, and answers for
// them.
func (z *Zones) Missed(question []byte, by, winner int, m Miss, now time.Time) {
	if by >= z.n || winner >= z.n {
		return
	}
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e, t, w := sh.places[i], z.tally(sh, i, by), z.tally(sh, i, winner)
		lead := e.leader(at)
		t.replied = t.replied || m.Denied
		switch {
		case m.Own && m.Silent:
			t.score -= min(t.score, 1)
		case m.Own:
			t.score -= min(t.score, knows)
			switch {
			case !m.Denied || lead != by:
			case m.Alike: // the zone has moved
				e.lead, w.knower = int8(winner), true
			case t.score < knows:
				e.lead, t.knower = -1, false
			}
		case m.Denied && lead == winner:
			w.alone = true
		}
	})
}

// Replied notes that an upstream has given an opinion of a name that another knows.
func (z *Zones) Replied(question []byte, by int, now time.Time) {
	if by < z.n {
		z.find(question, func(sh *zoneShard, i int, _ bool) { z.tally(sh, i, by).replied = true })
	}
}

// Compared notes how the answers of two upstreams differ: one that answers as a knower did is
// a knower, too. It reports whether answers in this zone are known to differ since now.
func (z *Zones) Compared(question []byte, a, b int, d Difference, now time.Time) (turned bool) {
	if a >= z.n || b >= z.n || d == Incomparable {
		return false
	}
	at := instantOf(now)
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := sh.places[i]
		ta, tb := z.tally(sh, i, a), z.tally(sh, i, b)
		switch {
		case d == Alike:
			e.apart = 0
			known := ta.knower || tb.knower
			ta.knower, tb.knower = known, known
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
		ta.differs, tb.differs = true, true
		switch e.leader(at) { // whoever differs from the leader knows the zone otherwise
		case a:
			tb.knower = false
		case b:
			ta.knower = false
		}
	})
	return turned
}

// Name is the name of a question's zone as it is known, in presentation format; empty if it
// is not known.
func (z *Zones) Name(question []byte) (name string) {
	z.find(question, func(sh *zoneShard, i int, _ bool) {
		e := sh.places[i]
		name = presentation([]byte(e.name))
	})
	return name
}

// sole is the only upstream that has lately answered in the zone, or -1.
func (z *Zones) sole(sh *zoneShard, i int, at instant) int {
	var s Standing
	s.read(z, sh, i, at)
	return s.Lately.Sole()
}
