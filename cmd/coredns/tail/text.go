package tail

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// text is an event for people, on one line; empty: it is nothing for them.
func (w *writer) text(line []byte) (string, error) {
	var e api.Event
	if err := client.Decode(line, &e); err != nil {
		return "", err
	}
	text, err := w.event(e.Event, line)
	if w.several && text != "" && e.Server != "" {
		text += "; server " + e.Server
	}
	return text, err
}

// event is what there is to say of an event of that kind.
func (w *writer) event(kind string, line []byte) (string, error) {
	switch kind {
	case api.EventRace:
		return read(line, func(e *api.RaceEvent) string {
			w.names.add(e.ID, e.Name+" "+e.Type)
			return at(e.Race.At) + race(e)
		})
	case api.EventLate:
		return read(line, func(e *api.LateEvent) string {
			if !e.WouldHaveWon { // it would have changed nothing
				return ""
			}
			return at(e.At) + w.late(e)
		})
	case api.EventUpstream:
		return read(line, func(e *api.UpstreamEvent) string { return at(e.At) + show.StateEvent(e) })
	case api.EventList:
		return read(line, func(e *api.ListEvent) string { return at(e.At) + show.ListEvent(e) })
	case api.EventZone:
		return read(line, func(e *api.ZoneEvent) string { return at(e.At) + show.ZoneEvent(e) })
	case api.EventLost:
		return read(line, func(e *api.LostEvent) string { return at(e.At) + show.LostEvent(e) })
	case api.EventSampled:
		return read(line, func(e *api.SampledEvent) string { return at(e.At) + show.SampledEvent(e) })
	}
	return "", nil // the first, the last, and those of newer servers
}

func read[E any](line []byte, text func(*E) string) (string, error) {
	var e E
	if err := client.Decode(line, &e); err != nil {
		return "", err
	}
	return text(&e), nil
}

func at(t time.Time) string { return t.Local().Format("15:04:05 ") }

// race is a race: what was asked, what came of it and how long that took, by whom.
func race(e *api.RaceEvent) string {
	parts := []string{e.Name, e.Type, show.Got(&e.Outcome)}
	if !e.Cached {
		parts = append(parts, "after", printable.Span(show.Seconds(e.Seconds)))
	}
	if e.Upstream != nil {
		parts = append(parts, "by", *e.Upstream)
	}
	if e.Cached {
		parts = append(parts, "from the cache")
	}
	if e.Clients > 1 {
		parts = append(parts, fmt.Sprintf("for %d clients", e.Clients))
	}
	text := strings.Join(parts, " ")
	if len(e.Differ) > 0 {
		text += "; answers differ: " + printable.And(e.Differ)
	}
	if e.Filtered {
		text += "; a filter's reply"
	}
	var missing []string
	for _, m := range e.Missing {
		missing = append(missing, fmt.Sprintf("%s (%s)", m.Upstream, m.Why))
	}
	if len(missing) > 0 {
		text += "; no opinion from " + strings.Join(missing, ", ")
	}
	return text
}

// late is a good answer that came when its race had ended with a denial.
func (w *writer) late(e *api.LateEvent) string {
	what := "an earlier query"
	if name := w.names.find(e.ID); name != "" {
		what = name
	}
	return show.LateEvent(e, what)
}
