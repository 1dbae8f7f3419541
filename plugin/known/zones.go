package known

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

const (
	// So many questions in a row for one name must stay without reply, while others are
	// answered, before the upstream is unresponsive for it (R5).
	enoughOfName = 3
	// For a zone, names with so many labels below it must if a question for the zone's own
	// name does as well, and else more: that may be the only one that is answered.
	enoughBelow = 2
	manyBelow   = 5
	// MaxZones bounds the names and zones that are kept in mind.
	MaxZones = 64
	// zoneMemory is how long silences are remembered that are not enough.
	zoneMemory = 10 * time.Minute
	// Of the zones that a name is in, its parent counts, and those with few labels; all with
	// at most maxLabels, for an IPv6 network of 64 bits has so many, and else each address in
	// it would be a zone.
	fewLabels = 4
	maxLabels = 18
)

// Zones are names and zones for which an upstream left questions without reply: routers drop
// those below local, and filters those of zones that they block. A zone is here a name and all
// names below it, but not the root. Names are in wire format and lower case. The zero value
// knows of no silence.
type Zones map[string]*zoneSilence

// zoneSilence is a name for which, or for names below which, questions stayed without reply.
type zoneSilence struct {
	own    uint8        // questions in a row for the name itself, up to enoughOfName
	below  []string     // labels below it of names without reply since one was answered, up to manyBelow
	last   instant.Time // when the last was noticed
	probed instant.Time // when the name itself was last asked for because of names below
}

// unresponsive reports whether the upstream is that for the name itself, and for names below it.
func (s *zoneSilence) unresponsive() (own, below bool) {
	below = len(s.below) >= manyBelow || len(s.below) >= enoughBelow && s.own > 0
	return s.own >= enoughOfName || below && s.own > 0, below
}

// either reports whether it is unresponsive for one of these.
func (s *zoneSilence) either() bool {
	own, below := s.unresponsive()
	return own || below
}

// Unresponsive reports whether a reply to a question for a name is not to be waited for.
func (z Zones) Unresponsive(name []byte) bool {
	if len(z) == 0 {
		return false
	}
	for zone := range suffixes(name) {
		if s := z[string(zone)]; s != nil {
			own, below := s.unresponsive()
			if below && len(zone) < len(name) || own && len(zone) == len(name) {
				return true
			}
		}
	}
	return false
}

// Unanswered notes that a question for a name stayed without reply for as long as it was of
// use, while others were answered. It counts for the name, and once for each label below the
// zones that the name is in: one slow name says nothing of them. Those noticed within apart of
// another count as one, for they may have one cause. It returns where the upstream is
// unresponsive since that, and the zones whose own name should be asked for: that is easy.
func (z *Zones) Unanswered(name []byte, now instant.Time, apart time.Duration) (became, probe []string) {
	if z.Unresponsive(name) {
		return nil, nil
	}
	label, labels, parent := "", countLabels(name), false
	for zone := range suffixes(name) {
		if left := countLabels(zone); left == labels || left <= fewLabels || !parent {
			parent = left < labels
			if s := z.place(string(zone)); s != nil && s.count(label, now, apart) {
				switch {
				case s.either():
					became = append(became, string(zone))
				case len(s.below) >= enoughBelow && now.Sub(s.probed) >= 2*apart:
					s.probed = now
					probe = append(probe, string(zone))
				}
			}
		}
		label = string(zone[:1+int(zone[0])])
	}
	return became, probe
}

// count counts a name with that label below the zone, or the zone's own name if there is none.
// It reports whether that has changed anything.
func (s *zoneSilence) count(label string, now instant.Time, apart time.Duration) bool {
	switch {
	case s.either() || now.Sub(s.last) < apart || label != "" && slices.Contains(s.below, label):
		return false
	case label == "":
		s.own++
	default:
		s.below = append(s.below, label)
	}
	s.last = now
	return true
}

// place returns what is known of a zone. If there is no room the zone that was noticed first
// goes, of those where the upstream is not unresponsive; nil: it is in all.
func (z *Zones) place(zone string) *zoneSilence {
	if s := (*z)[zone]; s != nil {
		return s
	}
	if *z == nil {
		*z = make(Zones)
	}
	if len(*z) >= MaxZones {
		oldest := ""
		for name, s := range *z {
			if !s.either() && (oldest == "" || s.last.Before((*z)[oldest].last)) {
				oldest = name
			}
		}
		if oldest == "" {
			return nil
		}
		delete(*z, oldest)
	}
	s := new(zoneSilence)
	(*z)[zone] = s
	return s
}

// OwnUnanswered notes that a question for a zone's own name, which was asked because of names
// below it, stayed without reply. It reports whether the upstream is unresponsive there since
// that.
func (z Zones) OwnUnanswered(zone []byte) (became bool) {
	s := z[string(zone)]
	if s == nil || s.either() {
		return false
	}
	s.own++
	return s.either()
}

// Answered notes a reply to a question for a name. It returns where the upstream was
// unresponsive until then. A zone's own name says nothing of the names below it.
func (z Zones) Answered(name []byte) (was []string) {
	for zone := range suffixes(name) {
		s := z[string(zone)]
		if s == nil {
			continue
		}
		is := s.either()
		if s.own = 0; len(zone) < len(name) || len(s.below) == 0 {
			delete(z, string(zone))
		} else {
			is = is && !s.either()
		}
		if is {
			was = append(was, string(zone))
		}
	}
	return was
}

// Forget forgets silences that were not enough for long.
func (z Zones) Forget(now instant.Time) {
	for zone, s := range z {
		if !s.either() && now.Sub(s.last) > zoneMemory {
			delete(z, zone)
		}
	}
}

// suffixes yields a name, and the zones that it is in.
func suffixes(name []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		labels := countLabels(name)
		for first := true; len(name) > 1; first = false {
			if (first || labels <= maxLabels) && !yield(name) {
				return
			}
			name, labels = name[1+int(name[0]):], labels-1
		}
	}
}

func countLabels(name []byte) (n int) {
	for ; len(name) > 1; n++ {
		name = name[1+int(name[0]):]
	}
	return n
}
