package knowledge

import (
	"hash/maphash"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// memory is how long it is remembered which upstream knew a zone, though it may be away (R18),
// and that answers in a zone differ (R17).
const memory = time.Hour

// Whoever first answered in a zone stays its leader for so long after its last answer there:
// while it is away, nobody takes its place by answering names that it might deny. In a zone
// below, where it has answered nothing itself, it is for as long as memory.
const leads = 24 * time.Hour

// Scores say how certain it is that an upstream knows the names of a zone.
const (
	bestScore = 4
	knows     = 2 // at the least; the first good answer is enough, and two misses in a row are too many
)

// zone is what is known of a zone, besides its tallies. Its name is in lower case and wire
// format.
type zone struct {
	surveyed instant // when all upstreams were last asked
	differed instant // when answers were last seen to differ
	races    uint8   // since then
	apart    uint8   // comparisons in a row that showed nothing in common
	lead     int8    // the upstream that was first to answer, or took the place of that; -1: none
	used     bool    // since it was last considered for being replaced
	name     string
	tallies  []tally // by upstream
}

// tally is what an upstream has replied in a zone.
type tally struct {
	good    instant // when its last good answer came; zero: there was none
	score   uint8
	answers uint8 // good ones, up to manyAnswers
	knower  bool  // it was the first to answer, or has answered as a knower did
	alone   bool  // it is the leader, and has answered what other knowers denied
	above   bool  // all this is of the zone above
	replied bool  // it has given an opinion of a name that exists
	differs bool  // its answers differ from others'
	private bool  // they have private addresses
}

// manyAnswers stands for as many answers and more.
const manyAnswers = 255

// own reports whether what the leader or the only knower answers is its own, and no public zone:
// others deny it, or its addresses are private.
func (t *tally) own() bool { return t.alone || t.private }

// within reports whether the last good answer is not older than age.
func (t *tally) within(age time.Duration, at instant) bool { return at.before(t.good.add(age)) }

// leader is the upstream that leads the zone, or -1.
func (e *zone) leader(at instant) int {
	if e.lead < 0 {
		return -1
	}
	t, life := &e.tallies[e.lead], leads
	if t.above {
		life = memory
	}
	if !t.knower || !t.within(life, at) {
		return -1
	}
	return int(e.lead)
}

// hasKnower reports whether an upstream knows the names of the zone.
func (e *zone) hasKnower(age time.Duration, at instant) bool {
	for j := range e.tallies {
		if t := &e.tallies[j]; t.knower && t.score >= knows && t.within(age, at) {
			return true
		}
	}
	return false
}

// presentation is a name in presentation format (RFC 1035, section 5.1), with question marks
// for odd characters.
func presentation(name []byte) string {
	var b strings.Builder
	for len(name) > 0 && name[0] != 0 {
		label := name[1 : 1+int(name[0])]
		for _, c := range label {
			if c <= ' ' || c > '~' || c == '.' || c == '\\' {
				c = '?'
			}
			b.WriteByte(c)
		}
		b.WriteByte('.')
		name = name[1+len(label):]
	}
	if b.Len() == 0 {
		return "."
	}
	return b.String()
}

// oneDraw is how long a name's draw counts for races for other types of it.
const oneDraw = time.Second

// draw is whether a race for a name asked all upstreams.
type draw struct {
	name   uint64 // its hash
	at     instant
	qtype  uint16
	survey bool
}

// draw returns the draw of a question's name, and whether it was made a moment ago for another
// type; else it is to be made.
func (z *Zones) draw(sh *zoneShard, question []byte, at instant) (d *draw, made bool) {
	var buf [255]byte
	name, qtype := maphash.Bytes(seed, wire.AppendName(buf[:0], question)), wire.QuestionType(question)
	d = &sh.draws[name%uint64(len(sh.draws))]
	if d.name == name && d.qtype != qtype && at.before(d.at.add(oneDraw)) && int64(d.at.ran) >= z.returned.Load() {
		return d, true
	}
	*d = draw{name: name, at: at, qtype: qtype}
	return d, false
}
