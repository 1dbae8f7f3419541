package show

import (
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// instead are why a client got something else than an upstream's reply, by the words of
// [api.Outcome].
var instead = map[string]string{
	"special": "dnsmus's own", "proven": "the name exists", "away": "who knows the zone is away", "forged": "replies may be forged",
	"untrusted": "private_from", "alias": "the end of an alias was not found", "stale": "kept from before", "refused": "max_concurrent", "none": "nobody replied",
}

// Got is what a client got, in short: the data of an answer, or the code, and why if that is not an
// upstream's reply.
func Got(o *api.Outcome) string {
	text := Reply(o)
	if o.Data != nil && (o.Verdict == "good" || Changed(o, api.ChangedStale)) {
		text = *o.Data
	}
	if o.Changed != nil {
		why, known := instead[*o.Changed]
		if !known {
			why = *o.Changed
		}
		text += " (" + why + ")"
	}
	return text
}

// StateEvent is a change of an upstream's state, in a sentence.
func StateEvent(e *api.UpstreamEvent) string {
	text := fmt.Sprintf("upstream %s is %s", e.Upstream, e.State)
	if e.Why != "" {
		text += ": " + e.Why
	}
	if e.Waiting > 0 {
		text += fmt.Sprintf("; %s for it", Count(e.Waiting, "query waits", "queries wait"))
	}
	return text
}

// ListEvent is a change of the list of upstreams.
func ListEvent(e *api.ListEvent) string {
	var parts []string
	if len(e.Added) > 0 {
		parts = append(parts, "new: "+printable.And(e.Added))
	}
	if len(e.Removed) > 0 {
		parts = append(parts, "gone: "+printable.And(e.Removed))
	}
	return fmt.Sprintf("the upstreams are %s; %s", printable.And(e.Upstreams), strings.Join(parts, "; "))
}

// ZoneEvent is what was learned of a zone.
func ZoneEvent(e *api.ZoneEvent) string {
	return fmt.Sprintf("in the zone %s answers differ: %s", e.Zone, printable.And(e.Upstreams))
}

// LateEvent is a good answer to a question that came when its race had ended with a denial.
func LateEvent(e *api.LateEvent, question string) string {
	return fmt.Sprintf("late: %s had a good answer for %s after %s; the denial was wrong", e.Upstream, question, printable.Span(Seconds(e.Seconds)))
}

// LostEvent says that events were lost.
func LostEvent(e *api.LostEvent) string {
	return fmt.Sprintf("%s lost: this command is too slow for all of them; a filter helps", Count(e.Events, "event was", "events were"))
}

// SampledEvent says how many races are shown.
func SampledEvent(e *api.SampledEvent) string {
	if e.OneOf <= 1 {
		return "all queries are shown again"
	}
	return fmt.Sprintf("there are too many queries to show: one of %d is shown", e.OneOf)
}
