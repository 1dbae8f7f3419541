package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// legColumns are those of [Legs]. The mark of the winner stands before them.
var legColumns = []Column{
	{Head: "UPSTREAM"},
	{Head: "TIME", Right: true, Drop: 1},
	{Head: "REPLY", Wraps: true},
	{Head: "WHY", Wraps: true},
}

// Reply is what a client got, in short: NODATA, or the rcode.
func Reply(o *api.Outcome) string {
	switch {
	case o.Verdict == "nodata" || Changed(o, "untrusted") || Changed(o, "proven"):
		return "NODATA"
	case o.Verdict == "truncated":
		return "TC=1 without an answer"
	}
	return o.Rcode
}

// Changed reports whether, and that for this reason, the client got something else than an
// upstream's reply.
func Changed(o *api.Outcome, why string) bool { return o.Changed != nil && *o.Changed == why }

// Legs is a table of what each upstream had to do with a race. While live, replies may still
// come; since is for how long the race has been held.
func Legs(legs []api.Leg, live bool, since time.Duration) Table {
	t := Table{Columns: legColumns}
	for i := range legs {
		leg := &legs[i]
		reply := replyIn(leg)
		row := Row{Cells: []string{leg.Upstream, "-", reply, whyIn(leg, reply)}, Colours: []string{"", "", VerdictColour(leg.Verdict)}}
		switch {
		case leg.Winner:
			row.Mark, row.Colours[0] = "*", Bold
		case live && leg.Seconds == nil && !leg.Down:
			row.Colours = []string{Dim, Dim, Dim, Dim}
		}
		switch {
		case leg.Seconds != nil:
			row.Cells[1] = printable.Span(Seconds(*leg.Seconds))
		case live && !leg.Unasked:
			row.Cells[1] = fmt.Sprintf("%.1f s", since.Seconds())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// replyIn is what an upstream replied, in short.
func replyIn(leg *api.Leg) string {
	switch {
	case leg.Rcode == nil:
		return "-"
	case leg.Data != nil && (leg.Verdict == "good" || leg.Verdict == "cname" || leg.Verdict == "bogus" || leg.Alias):
		return *leg.Data
	case leg.Verdict == "nodata" || leg.Verdict == "nxdomain":
		return strings.ToUpper(leg.Verdict)
	case leg.Verdict == "truncated" || leg.Verdict == "referral":
		return leg.Verdict
	}
	return *leg.Rcode
}

// whyIn is the reason without what the column before it says.
func whyIn(leg *api.Leg, reply string) string {
	if rest, said := strings.CutPrefix(leg.Why, "replied "+reply); said {
		return "no opinion" + rest
	}
	return leg.Why
}

// VerdictColour is the colour of a verdict.
func VerdictColour(verdict string) string {
	switch verdict {
	case "good", "cname":
		return Green
	case "nodata", "nxdomain":
		return Yellow
	}
	return Red
}

// Seconds is a span as JSON has it.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
