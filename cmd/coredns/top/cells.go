package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// codes are verdicts in two letters.
var codes = map[string]string{
	"nxdomain": "nx", "nodata": "nd", "servfail": "sf", "refused": "rf", "error": "er", "bogus": "bg", "referral": "rl", "truncated": "tc", "cname": "cn",
}

// cell is what an upstream had to do with a race, in at most three characters.
func cell(o *api.Outcome, l *api.Leg) string {
	text := ""
	switch {
	case l.Winner:
		return "*"
	case l.Seconds == nil && l.Unasked:
		return "-"
	case l.Seconds == nil && l.Down:
		return gDown
	case l.Seconds == nil:
		return gSilent
	case l.Verdict == "good" && slices.Contains(o.Differ, l.Upstream):
		text = gDiffers
	case l.Verdict == "good":
		text = "="
	case l.Rcode == nil && !l.Late: // a failure of the network
		text = "er"
	default:
		text = codes[l.Verdict]
	}
	if text == "" {
		text = "?"
	}
	if l.Late {
		text = "~" + text
	}
	return text
}

// leg is that of an upstream; nil: it has none.
func leg(o *api.Outcome, upstream string) *api.Leg {
	for i := range o.Upstreams {
		if o.Upstreams[i].Upstream == upstream {
			return &o.Upstreams[i]
		}
	}
	return nil
}

// matters reports whether a race is marked: a failure, a denial of a name that some had no opinion
// of, and one that was wrong.
func matters(r *row) bool {
	switch o := &r.race.Outcome; {
	case o.Verdict == "good" || o.Verdict == "cname":
		return false
	case o.Verdict == "nodata" || o.Changed != nil && *o.Changed == api.ChangedProven:
		return r.wrong // that another resolver has such a record is rare
	case o.Verdict == "nxdomain":
		return r.wrong || o.Changed != nil || !o.Conclusive && !o.Final && !o.Filtered
	}
	return true
}

// reply is what the client got, in at most width columns: of an answer the first data and how many
// more there are, of a denial for how long it may be kept.
func reply(r *row, width int) string {
	o := &r.race.Outcome
	text := show.Got(o)
	if o.Changed != nil { // in fewer words than elsewhere
		text = fmt.Sprintf("%s (%s)", show.Reply(o), *o.Changed)
		if *o.Changed == api.ChangedStale && o.Data != nil {
			text = *o.Data + " (stale)"
		}
	}
	if o.Verdict == "good" && o.Changed == nil {
		if all := strings.Split(text, ", "); len(all) > 1 && len(text) > width {
			text = fmt.Sprintf("%s +%d", all[0], len(all)-1)
		}
	} else if o.TTL != nil && o.Changed == nil {
		text += fmt.Sprintf(" %ds", *o.TTL)
	}
	if r.race.Cached {
		text += " (kept)"
	}
	return show.Cut(text, width)
}

// remark is what there is to say of a race beside its cells, in short.
func (u *ui) remark(r *row) string {
	o := &r.race.Outcome
	var parts []string
	if r.wrong {
		parts = append(parts, "late answer: denial was wrong")
	}
	if len(o.Differ) > 0 {
		parts = append(parts, "answers differ")
	}
	if o.Filtered {
		parts = append(parts, "a filter's reply")
	}
	if matters(r) && len(o.Missing) > 0 {
		var names []string
		for _, m := range o.Missing {
			names = append(names, u.letters.of(m.Upstream))
		}
		parts = append(parts, "no opinion: "+strings.Join(names, " "))
	}
	if r.times > 1 {
		parts = append(parts, fmt.Sprintf("%d times", r.times))
	}
	if r.race.Clients > 1 {
		parts = append(parts, fmt.Sprintf("%d clients", r.race.Clients))
	}
	return strings.Join(parts, "; ")
}
