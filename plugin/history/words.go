package history

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// filter is the leg whose reply says that it is a filter's; nil: there is none.
func (r *Race) filter() *Leg {
	for i := range r.Legs {
		if l := &r.Legs[i]; l.Filter {
			return l
		}
	}
	return nil
}

func (r *Race) missing() (legs []*Leg) {
	for i := range r.Legs {
		if r.Legs[i].Missing {
			legs = append(legs, &r.Legs[i])
		}
	}
	return legs
}

func (r *Race) isMissing(upstream string) bool {
	for _, l := range r.missing() {
		if l.Upstream == upstream {
			return true
		}
	}
	return false
}

func (r *Race) lateGood() (legs []*Leg) {
	for i := range r.Legs {
		if r.Legs[i].lateGood > 0 {
			legs = append(legs, &r.Legs[i])
		}
	}
	return legs
}

// pending are the upstreams from which nothing had come.
func (r *Race) pending() (names []string) {
	for i := range r.Legs {
		if l := &r.Legs[i]; l.after < 0 && !l.Unasked {
			names = append(names, l.Upstream)
		}
	}
	return names
}

// legs lists upstreams with what they said.
func (r *Race) legs(some []*Leg) string {
	var parts []string
	for _, l := range some {
		parts = append(parts, fmt.Sprintf("%s (%s)", l.Upstream, l.Words(r.Type)))
	}
	return strings.Join(parts, ", ")
}

// denied is what is denied.
func (r *Race) denied() string {
	if r.Verdict == race.NoData || r.Verdict == race.NoDataSOA {
		return "the type"
	}
	return "the name"
}

func (p *Present) state(upstream string) (state, about string) {
	if p.State == nil || upstream == "" {
		return "", ""
	}
	return p.State(upstream)
}

// knows says who alone knows the zone.
func (p *Present) knows() string {
	n := fmt.Sprintf("%d answers", p.Answers)
	switch p.Answers {
	case 1:
		n = "one answer"
	case 255:
		n = "255 answers or more"
	}
	return fmt.Sprintf("%s alone has answered in %s (%s)", p.Sole, p.Zone, n)
}

func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
