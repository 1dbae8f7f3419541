package history

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// those are the legs of which something is true.
func (r *Race) those(is func(*Leg) bool) (legs []*Leg) {
	for i := range r.Legs {
		if is(&r.Legs[i]) {
			legs = append(legs, &r.Legs[i])
		}
	}
	return legs
}

// filters are the legs whose replies say that they are a filter's.
func (r *Race) filters() []*Leg { return r.those(func(l *Leg) bool { return l.Filter }) }

// filterWon reports whether clients got a filter's reply.
func (r *Race) filterWon() bool {
	return len(r.those(func(l *Leg) bool { return l.Filter && l.Winner })) > 0
}

func (r *Race) missing() []*Leg { return r.those(func(l *Leg) bool { return l.Missing }) }

func (r *Race) lateGood() []*Leg { return r.those(func(l *Leg) bool { return l.lateGood > 0 }) }

// ruledOut are the legs whose answers the policy rules out.
func (r *Race) ruledOut() []*Leg { return r.those(func(l *Leg) bool { return l.Verdict.IsBogus() }) }

// pending are the upstreams from which nothing had come.
func (r *Race) pending() []string {
	return names(r.those(func(l *Leg) bool { return l.after < 0 && !l.Unasked }))
}

// part is that of an upstream among some legs; nil: it is not among them.
func part(some []*Leg, upstream string) *Leg {
	for _, l := range some {
		if l.Upstream == upstream {
			return l
		}
	}
	return nil
}

func names(legs []*Leg) (names []string) {
	for _, l := range legs {
		names = append(names, l.Upstream)
	}
	return names
}

// legs lists upstreams with what they said.
func (r *Race) legs(some []*Leg) string {
	var parts []string
	for _, l := range some {
		parts = append(parts, fmt.Sprintf("%s (%s)", l.Upstream, l.Words(r.Type)))
	}
	return printable.And(parts)
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
	return fmt.Sprintf("%s alone has answered in %s (%s)", p.Sole, p.Zone, Answers(p.Answers))
}

// Answers is how many were counted, which ends at 255.
func Answers(n int) string {
	switch n {
	case 1:
		return "1 answer"
	case 255:
		return "255 answers or more"
	}
	return fmt.Sprintf("%d answers", n)
}

// Clock is the time of day at which something was, or will be.
func Clock(t time.Time) string { return t.Local().Format("15:04:05") }

// Words say what an upstream said, or why it did not.
func (l *Leg) Words(qtype uint16) string {
	text := printable.Text(string(l.text))
	switch {
	case l.Unasked:
		return "not asked, because another one knows the zone"
	case l.Missing && text != "":
		return text
	case errors.Is(l.err, race.ErrDown) || l.Down && l.Verdict == race.None:
		return "no reply: the upstream is down"
	case l.err != nil:
		return l.err.Error()
	case l.Missing:
		return "the query to it failed"
	case l.Verdict == race.None:
		return "no reply until the race was over"
	}
	words := l.Verdict.Words(dns.Type(qtype).String(), printable.Rcode(int(l.rcode)))
	if text != "" {
		words += ", " + text
	}
	return words
}

// Presentation is a name in presentation form (RFC 1035, section 5.1): all of it is printable
// ASCII.
func Presentation(wire []byte) string {
	name, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return "."
	}
	return name
}
