package history

import (
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

const downRemedy = "If its link is up, its resolver, or the way behind it, is not: connect the VPN anew, or ask who runs it."

// soleWhy is why the only upstream that knows the zone gave no opinion.
func (r *Race) soleWhy(now Present) api.Why {
	words := part(r.missing(), now.Sole).Words(r.Type)
	switch state, about := now.state(now.Sole); state {
	case "gone":
		return api.Why{Kind: api.WhyGone, Text: now.knows() + ", and its link is gone: " + about + ".", Do: "Bring the link up: connect the VPN."}
	case "down":
		return api.Why{Kind: api.WhyDown, Text: now.knows() + ", and it is down: " + about + ".", Do: downRemedy}
	case "failing":
		return api.Why{Kind: api.WhyDown, Text: now.knows() + ", and it fails: " + words + ".", Do: downRemedy}
	}
	kind := api.WhyInconclusive
	if r.Change == api.ChangedAway {
		kind = api.WhyDown
	}
	return api.Why{Kind: kind, Text: now.knows() + ", and gave no opinion: " + words + ".", Do: "See 'dnsmus status' for that upstream."}
}

// filteredWhy is why a filter is to blame.
func (r *Race) filteredWhy() api.Why {
	w := api.Why{Kind: api.WhyFiltered, Do: "Ask who runs it. An answer of another upstream would have been given."}
	if r.Verdict.Wins() {
		w.Do = "Ask who runs it. If what it gives is an address that stands for none, the option bogus rules it out."
	}
	if r.Filtered {
		w.Do = "Ask who runs it, or leave the option filtered out, so that others' answers count."
	}
	filters := r.filters()
	switch len(filters) {
	case 0:
		w.Text = fmt.Sprintf("%s filters the name.", r.By)
	case 1:
		w.Text = fmt.Sprintf("%s filters the name.", filters[0].Upstream)
		if text := printable.Text(string(filters[0].text)); text != "" {
			w.Text = fmt.Sprintf("%s filters the name: %s.", filters[0].Upstream, strings.TrimSuffix(text, "."))
		}
	default:
		w.Text = fmt.Sprintf("%s filter the name.", printable.And(names(filters)))
	}
	if !r.Filtered && !r.Verdict.Wins() {
		w.Text += r.others(filters)
	}
	return w
}

// ruledOutWhy is why answers did not count.
func (r *Race) ruledOutWhy(legs []*Leg) api.Why {
	by := make(map[race.Verdict][]string)
	for _, l := range legs {
		by[l.Verdict] = append(by[l.Verdict], l.Upstream)
	}
	var texts, remedies []string
	if some := by[race.Bogus]; len(some) > 0 {
		text := "An answer, by %s, has an address that the option bogus rules out."
		if len(some) > 1 {
			text = "The answers of %s have addresses that the option bogus rules out."
		}
		texts, remedies = append(texts, fmt.Sprintf(text, printable.And(some))), append(remedies, "If such addresses are right there, change the option bogus.")
	}
	if some := by[race.Untrusted]; len(some) > 0 {
		text := "An answer, by %s, has a private address, and private_from leaves that upstream out."
		if len(some) > 1 {
			text = "The answers of %s have private addresses, and private_from leaves these upstreams out."
		}
		texts, remedies = append(texts, fmt.Sprintf(text, printable.And(some))), append(remedies, "Name the upstream in private_from, if it may give private addresses.")
	}
	return api.Why{Kind: api.WhyBogus, Text: strings.Join(texts, " ") + r.others(legs), Do: strings.Join(remedies, " ")}
}

// others says what came of those that are not named yet; empty: there are none.
func (r *Race) others(named []*Leg) (text string) {
	var missing []*Leg
	denials := 0
	for i := range r.Legs {
		l := &r.Legs[i]
		switch {
		case part(named, l.Upstream) != nil:
		case l.Missing:
			missing = append(missing, l)
		case l.Verdict.Negative():
			denials++
		}
	}
	if denials > 0 {
		text = " Others deny " + r.denied() + "."
	}
	if len(missing) > 0 {
		text += " No opinion came from " + r.legs(missing) + "."
	}
	return text
}
