package history

import (
	"errors"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Line is what the control socket tells of races that ended alike, with why.
func (m *Remembered) Line(server string, now Present) api.Remembered {
	line := api.Remembered{Race: m.line(server), ZoneOnly: m.ZoneOnly, First: m.First.UTC(), Last: m.At.UTC(), Count: m.Count, Late: []api.LateLeg{}}
	for i := range m.Legs {
		if l := &m.Legs[i]; l.lateGood > 0 {
			line.Late = append(line.Late, api.LateLeg{Upstream: l.Upstream, Seconds: l.LateGood().Seconds()})
		}
	}
	line.Why = m.Why(now)
	return line
}

func (r *Race) line(server string) api.Race {
	line := api.Race{
		ID: strconv.FormatUint(r.ID, 16), At: r.At.UTC(), Server: server,
		Outcome: api.Outcome{
			Name: r.name(), Type: dns.Type(r.Type).String(), Verdict: r.Verdict.String(), Rcode: printable.Rcode(int(r.Rcode)),
			Seconds: r.Took.Seconds(), Conclusive: r.Conclusive, Filtered: r.Filtered, Final: r.Final, Asked: r.Asked,
			Missing: []api.Missing{}, Differ: []string{}, Parts: []api.Part{}, Upstreams: []api.Leg{},
		},
	}
	if r.By != "" {
		line.Upstream = &r.By
	}
	if r.Change != "" {
		line.Changed = &r.Change
	}
	if r.TTL >= 0 {
		ttl, until := uint32(r.TTL), r.At.UTC().Add(time.Duration(r.TTL)*time.Second)
		line.TTL = &ttl
		if ttl > 0 {
			line.Until = &until
		}
	}
	if !r.Kept.IsZero() {
		until := r.Kept.UTC()
		line.KeptUntil = &until
	}
	for i := range r.Legs {
		l := &r.Legs[i]
		if l.Missing {
			line.Missing = append(line.Missing, api.Missing{Upstream: l.Upstream, Why: l.Words(r.Type), Silent: l.err == race.ErrSilent})
		}
		line.Upstreams = append(line.Upstreams, l.line(r.Type))
	}
	return line
}

func (l *Leg) line(qtype uint16) api.Leg {
	leg := api.Leg{
		Upstream: l.Upstream, Verdict: l.Verdict.String(), Winner: l.Winner, Late: l.Late, Why: l.Words(qtype),
		Stream: l.Stream, Alias: l.Alias, Down: l.Down, Unasked: l.Unasked, ExtendedErrors: []string{},
	}
	if after, ok := l.After(); ok {
		seconds := after.Seconds()
		leg.Seconds = &seconds
	}
	if rcode, ok := l.Rcode(); ok {
		name := printable.Rcode(rcode)
		leg.Rcode = &name
		if len(l.text) > 0 {
			leg.ExtendedErrors = []string{printable.Text(string(l.text))}
		}
	}
	return leg
}

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

// name is the name in presentation form; that of a zone, if the first label is not kept, has a star
// before it.
func (r *Race) name() string {
	name := Presentation(r.Name)
	switch {
	case !r.ZoneOnly:
		return name
	case name == ".":
		return "*."
	}
	return "*." + name
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
