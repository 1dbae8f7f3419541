package history

import (
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
