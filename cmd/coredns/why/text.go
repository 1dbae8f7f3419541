package why

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Text is what is remembered, newest first. The last fate of each type is told in full. Of several
// server blocks it is told which one a fate is of.
func Text(all []api.Remembered, several bool, now time.Time, screen show.Screen) (lines []string) {
	told := make(map[string]bool)
	for i := range all {
		r := &all[i]
		key := r.Server + " " + r.Name + " " + r.Type
		if told[key] {
			lines = append(lines, screen.Lines("Before: "+head(r, several, now))...)
			continue
		}
		told[key] = true
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, one(r, several, now, screen)...)
	}
	return lines
}

// one tells a fate: first what it was and why, then what each upstream said.
func one(r *api.Remembered, several bool, now time.Time, screen show.Screen) (lines []string) {
	name := r.Name
	if r.ZoneOnly {
		name = "A name in " + strings.TrimPrefix(name, "*.")
		if r.Name == "*." {
			name = "A name in ."
		}
	}
	lines = screen.Lines(fmt.Sprintf("%s %s: %s", name, r.Type, head(r, several, now)))
	if what := show.Reply(&r.Outcome); len(lines) > 0 {
		lines[0] = strings.Replace(lines[0], ": "+what, ": "+screen.Paint(show.VerdictColour(r.Verdict), what), 1)
	}
	for _, part := range []struct{ head, text string }{{"Why", r.Why.Text}, {"Until", r.Why.Until}, {"Do", r.Why.Do}} {
		if part.text != "" {
			lines = append(lines, show.Wrap(fmt.Sprintf("%-7s%s", part.head+":", part.text), screen.Width, "       ")...)
		}
	}
	for _, late := range r.Late {
		lines = append(lines, screen.Lines(fmt.Sprintf("Late:  %s had a good answer after %s.", late.Upstream, printable.Span(show.Seconds(late.Seconds))))...)
	}
	if len(r.Upstreams) == 0 {
		return lines
	}
	lines = append(lines, "", fmt.Sprintf("At %s, after %s:", show.Clock(r.Last, now), printable.Span(show.Seconds(r.Seconds))))
	return append(lines, show.Legs(r.Upstreams, false, 0).Lines(screen)...)
}

// head is what clients got, how often and when, and from which of several server blocks.
func head(r *api.Remembered, several bool, now time.Time) string {
	what := show.Reply(&r.Outcome)
	if r.Changed != nil {
		switch *r.Changed {
		case "away":
			what += " in place of NXDOMAIN, as the upstream that knows the zone is away"
		case "proven":
			what += " in place of NXDOMAIN, as the name exists"
		case "stale":
			what += ", kept from before"
		}
	}
	ago := show.Ago(now.Sub(r.Last))
	if several {
		ago += ", from the server on " + r.Server
	}
	if r.Count <= 1 {
		return what + ", " + ago
	}
	return fmt.Sprintf("%s, %d times since %s, last %s", what, r.Count, show.Clock(r.First, now), ago)
}

// about is what is known of a zone, for a name of which nothing is. Prefer is the option of its
// server; empty: it is not set.
func about(z *api.Zone, prefer string) string {
	var names []string
	for _, k := range z.KnownBy {
		names = append(names, k.String())
	}
	if len(names) == 0 {
		return ""
	}
	have := "have"
	if len(names) == 1 {
		have = "has"
	}
	text := fmt.Sprintf("In its zone %s %s %s answered.", z.Zone, printable.And(names), have)
	switch {
	case len(z.Differ) == 0:
	case prefer != "":
		text += fmt.Sprintf(" Their answers differ, and the option prefer (%s) chooses one; explain --alone shows them all.", prefer)
	default:
		text += " Their answers differ, so which one clients get may change from query to query. The option prefer chooses one for good; explain --alone shows them all."
	}
	return text
}
