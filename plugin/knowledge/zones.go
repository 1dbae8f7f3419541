package knowledge

import (
	"bytes"
	"hash/maphash"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table of zones: 64 shards of 8 sets, of 8 places each, so 4,096 zones. With 304
// bytes a place, and 24 an upstream, it takes 1.2 MB and 0.1 MB an upstream when it is
// full; a shard that nothing has come to takes none.
const (
	zoneShards = 64
	zoneSets   = 8 // in a shard
	zoneWays   = 8 // in a set
	zonePlaces = zoneSets * zoneWays

	// MaxZones is how many zones are known at a time.
	MaxZones = zoneShards * zonePlaces
)

const (
	// maxLabels of a zone's name are looked at: so many has the zone of an IPv6 network
	// of 64 bits, of which each address would else be a zone.
	maxLabels = 18
	// surveyEvery is of how many races in a zone one asks everybody, so that knowledge
	// stays true (R16).
	surveyEvery = 50
	// memory is how long it is remembered who once knew a zone, though it may be away
	// (R18), and that answers in it differ (R17).
	memory = time.Hour
)

// Scores tell how sure it is that an upstream knows the names of a zone.
const (
	bestScore = 4
	knows     = 2 // at the least; the first good answer is enough, and two misses in a row are too many
)

// farApart is how many comparisons in a row must show nothing in common before the
// answers in a zone are known to differ: one may be the freedom of those who serve it.
const farApart = 3

// Zones knows of some zones who has lately answered for names in them. A zone is here
// the parent of a name asked for; what nothing is known of belongs to the next zone
// above it, if a single upstream answers for that (R15). It may be used from any goroutine.
type Zones struct {
	n        int           // upstreams that are kept apart
	age      time.Duration // so long a survey counts
	known    atomic.Int64
	returned atomic.Int64 // when one of the upstreams last came back, since epoch
	shards   [zoneShards]zoneShard
}

type zoneShard struct {
	mu      sync.Mutex
	places  []zone // empty before the first zone
	tallies []tally
	hands   [zoneSets]uint8 // of the clocks by which places are freed
}

// zone is what is known of one, but for its tallies. Its name is in lower case as on
// the wire.
type zone struct {
	surveyed instant // when everybody was last asked
	differed instant // when answers were last seen to differ
	races    uint8   // since everybody was
	apart    uint8   // comparisons in a row that showed nothing in common
	lead     int8    // the upstream that answered first when this was last open
	used     bool    // once more, since the hand came by
	size     uint8   // of the name; 0: the place is free
	name     [255]byte
}

// tally is what an upstream has said in a zone.
type tally struct {
	good    instant // when its last good answer came; zero: there was none
	score   uint8
	heard   bool // it has given an opinion of a name that somebody knows
	differs bool // its answers differ from others'
	private bool // they hold private addresses
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
	z := &Zones{n: min(upstreams, MaxUpstreams), age: age}
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

// within reports whether the last good answer is not older than age.
func (t *tally) within(age time.Duration, at instant) bool { return at.before(t.good.add(age)) }

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

// tally is that of upstream j in place i.
func (z *Zones) tally(sh *zoneShard, i, j int) *tally { return &sh.tallies[i*z.n+j] }

func (z *Zones) of(sh *zoneShard, i int) []tally { return sh.tallies[i*z.n : (i+1)*z.n] }

// find calls f with the place of the zone of a question, if it is known, or of the
// nearest zone above it that a single upstream answers for, but for the root and what
// is above too many labels. It tells whether it is the zone itself.
func (z *Zones) find(question []byte, f func(sh *zoneShard, i int, exact bool)) {
	var buf [255]byte
	name := zoneName(buf[:0], question)
	for exact := true; ; exact = false {
		sh, at := z.place(name)
		sh.mu.Lock()
		if i := sh.find(at, name); i >= 0 && (exact || z.inherited(sh, i)) {
			f(sh, i, exact)
			sh.mu.Unlock()
			return
		}
		sh.mu.Unlock()
		if len(name) < 2 {
			return
		}
		if name = name[1+int(name[0]):]; len(name) < 2 { // the root
			return
		}
	}
}

// inherited reports whether zones below are taken to be like place i: one upstream
// alone has ever answered in it.
func (z *Zones) inherited(sh *zoneShard, i int) bool {
	n := 0
	for _, t := range z.of(sh, i) {
		if t.good != (instant{}) {
			n++
		}
	}
	return n == 1
}

// create makes a place for the zone of a question, with these tallies, and calls f
// with it.
func (z *Zones) create(question []byte, at instant, lead int8, tallies []tally, f func(sh *zoneShard, i int)) {
	var buf [255]byte
	name := zoneName(buf[:0], question)
	sh, set := z.place(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(set, name)
	if i < 0 {
		if sh.places == nil {
			sh.places, sh.tallies = make([]zone, zonePlaces), make([]tally, zonePlaces*z.n)
		}
		i = sh.free(set)
		e := &sh.places[i]
		if e.size == 0 {
			z.known.Add(1)
		}
		*e = zone{surveyed: at, lead: lead}
		e.size = uint8(copy(e.name[:], name))
		clear(z.of(sh, i))
		copy(z.of(sh, i), tallies)
	}
	f(sh, i)
}

// zoneName appends the name of the zone that a question's name is in.
func zoneName(b, question []byte) []byte {
	name := wire.AppendName(b, question)
	if len(name) > 1 {
		name = name[1+int(name[0]):]
	}
	for labels := countLabels(name); labels > maxLabels; labels-- {
		name = name[1+int(name[0]):]
	}
	return name
}

func countLabels(name []byte) (n int) {
	for ; len(name) > 0 && name[0] != 0; n++ {
		name = name[1+int(name[0]):]
	}
	return n
}

// place is where a zone may be: a shard, and a set in it.
func (z *Zones) place(name []byte) (sh *zoneShard, set int) {
	hash := maphash.Bytes(seed, name)
	return &z.shards[hash%zoneShards], int(hash / zoneShards % zoneSets)
}

// find returns the place of a zone, or -1.
func (sh *zoneShard) find(set int, name []byte) int {
	if sh.places == nil {
		return -1
	}
	for i := set * zoneWays; i < (set+1)*zoneWays; i++ {
		if e := &sh.places[i]; int(e.size) == len(name) && bytes.Equal(e.name[:e.size], name) {
			return i
		}
	}
	return -1
}

// free returns a place that is free, or the first that was not used since the hand of
// the set's clock last came by.
func (sh *zoneShard) free(set int) int {
	first := set * zoneWays
	for i := first; i < first+zoneWays; i++ {
		if sh.places[i].size == 0 {
			return i
		}
	}
	for {
		i := first + int(sh.hands[set])
		sh.hands[set] = (sh.hands[set] + 1) % zoneWays
		if !sh.places[i].used {
			return i
		}
		sh.places[i].used = false
	}
}
