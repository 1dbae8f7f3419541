package known

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// enoughSilences is how many questions of one type in a row must stay without reply,
	// while others are answered, before the upstream is unresponsive for that type (R5).
	enoughSilences = 3
	// MaxTypes bounds the types that are kept in mind.
	MaxTypes = 8
)

// Types are those types of question that an upstream left without reply: some gateways
// drop those of AAAA or HTTPS, and let all others pass (RFC 4074). The zero value knows of
// no silence.
type Types []typeSilence

// typeSilence is a type of which questions stayed without reply.
type typeSilence struct {
	qtype  uint16
	n      uint8        // in a row, up to enoughSilences
	last   instant.Time // when the last was noticed
	probed instant.Time // when the upstream was last asked something easy of that type
}

func (t Types) find(qtype uint16) *typeSilence {
	for i := range t {
		if t[i].qtype == qtype {
			return &t[i]
		}
	}
	return nil
}

// Unresponsive reports whether a reply to a question of that type is not to be waited for.
func (t Types) Unresponsive(qtype uint16) bool {
	s := t.find(qtype)
	return s != nil && s.n >= enoughSilences
}

// Unanswered notes that a question of that type stayed without reply while others were
// answered. Those noticed within apart of another count as one: they may have one cause.
// It reports whether the upstream is unresponsive for the type since that, and whether it
// should be asked something easy of it: the name may take long.
func (t *Types) Unanswered(qtype uint16, now instant.Time, apart time.Duration) (became, probe bool) {
	s := t.find(qtype)
	if s == nil {
		if len(*t) >= MaxTypes {
			return false, false
		}
		*t = append(*t, typeSilence{qtype: qtype})
		s = &(*t)[len(*t)-1]
	}
	if s.n < enoughSilences && now.Sub(s.last) >= apart {
		s.n, s.last = s.n+1, now
		became = s.n == enoughSilences
	}
	if now.Sub(s.probed) >= 2*apart {
		s.probed, probe = now, true
	}
	return became, probe
}

// Answered notes a reply to a question of that type. It reports whether the upstream was
// unresponsive for it.
func (t *Types) Answered(qtype uint16) (was bool) {
	for i, s := range *t {
		if s.qtype == qtype {
			*t = append((*t)[:i], (*t)[i+1:]...)
			return s.n >= enoughSilences
		}
	}
	return false
}
