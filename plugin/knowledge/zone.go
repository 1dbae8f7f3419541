package knowledge

import (
	"strings"
	"time"
)

// memory is how long it is remembered which upstream knew a zone, though it may be away (R18),
// and that answers in a zone differ (R17).
const memory = time.Hour

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
	lead     int8    // the upstream that was first to answer when that was last open
	used     bool    // since it was last considered for being replaced
	name     string
	tallies  []tally // by upstream
}

// tally is what an upstream has replied in a zone.
type tally struct {
	good    instant // when its last good answer came; zero: there was none
	score   uint8
	replied bool // it has given an opinion of a name that exists
	differs bool // its answers differ from others'
	private bool // they have private addresses
}

// within reports whether the last good answer is not older than age.
func (t *tally) within(age time.Duration, at instant) bool { return at.before(t.good.add(age)) }

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
