package tail

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
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
		return read(line, func(e *api.UpstreamEvent) string {
			text := fmt.Sprintf("upstream %s is %s", e.Upstream, e.State)
			if e.Why != "" {
				text += ": " + e.Why
			}
			if e.Waiting > 0 {
				text += fmt.Sprintf("; %s for it", show.Count(e.Waiting, "query waits", "queries wait"))
			}
			return at(e.At) + text
		})
	case api.EventList:
		return read(line, func(e *api.ListEvent) string { return at(e.At) + changes(e) })
	case api.EventZone:
		return read(line, func(e *api.ZoneEvent) string {
			return at(e.At) + fmt.Sprintf("in the zone %s answers differ: %s", e.Zone, show.And(e.Upstreams))
		})
	case api.EventLost:
		return read(line, func(e *api.LostEvent) string {
			return at(e.At) + fmt.Sprintf("%s lost: this command is too slow for all of them; a filter helps", show.Count(e.Events, "event was", "events were"))
		})
	case api.EventSampled:
		return read(line, func(e *api.SampledEvent) string {
			if e.OneOf <= 1 {
				return at(e.At) + "all queries are shown again"
			}
			return at(e.At) + fmt.Sprintf("there are too many queries to show: one of %d is shown", e.OneOf)
		})
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
	parts := []string{e.Name, e.Type, reply(&e.Outcome)}
	if !e.Cached {
		parts = append(parts, "after", show.Span(show.Seconds(e.Seconds)))
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
		text += "; answers differ: " + show.And(e.Differ)
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

// words are why the client got something else than an upstream's reply.
var words = map[string]string{
	"special": "dnsmus's own", "proven": "the name exists", "away": "who knows the zone is away", "forged": "replies may be forged",
	"untrusted": "private_from", "alias": "the end of an alias was not found", "stale": "kept from before", "refused": "max_concurrent", "none": "nobody replied",
}

// reply is what the client got, in short: the first data of an answer, or the code.
func reply(o *api.Outcome) string {
	text := show.Reply(o)
	if o.Data != nil && (o.Verdict == "good" || show.Changed(o, api.ChangedStale)) {
		text = *o.Data
	}
	if o.Changed != nil {
		why, known := words[*o.Changed]
		if !known {
			why = *o.Changed
		}
		text += " (" + why + ")"
	}
	return text
}

// late is a good answer that came when its race had ended with a denial.
func (w *writer) late(e *api.LateEvent) string {
	what := "an earlier query"
	if name := w.names.find(e.ID); name != "" {
		what = name
	}
	return fmt.Sprintf("late: %s had a good answer for %s after %s; the denial was wrong", e.Upstream, what, show.Span(show.Seconds(e.Seconds)))
}

// changes are those of the list of upstreams.
func changes(e *api.ListEvent) string {
	var parts []string
	if len(e.Added) > 0 {
		parts = append(parts, "new: "+show.And(e.Added))
	}
	if len(e.Removed) > 0 {
		parts = append(parts, "gone: "+show.And(e.Removed))
	}
	return fmt.Sprintf("the upstreams are %s; %s", show.And(e.Upstreams), strings.Join(parts, "; "))
}
