package history

import (
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Present is what is known when it is asked why a race ended as it did.
type Present struct {
	Now time.Time
	// State of an upstream: "up", "failing", "down" or "gone", and what there is to say of that, as
	// "silent since 12:03:49"; empty: it is in use no longer.
	State func(upstream string) (state, about string)
	// Sole is the only upstream that has lately answered in the zone of the name, and how often;
	// empty: there is none, or several.
	Sole    string
	Answers int
	Zone    string   // that Sole is of
	Good    []string // upstreams whose good answers to this very question are alive
	Differ  []string // upstreams whose answers in the zone differ
	Prefer  string   // the option: "order" or "private"; empty: it is not set
	Nearest string   // a name that has an answer, and is nearly this one
	InFront bool     // the plugin cache stands before dnsmus
}

// Why says why the race ended as it did. It is the one place where that is put in words, and
// each has a kind of a closed list.
func (r *Race) Why(now Present) api.Why {
	w := r.because(now)
	w.Until = r.until(now)
	if r.ZoneOnly {
		w.Text = fmt.Sprintf("Only the zone %s is remembered, so this may be about another name in it. %s", Presentation(r.Name), w.Text)
	}
	given := r.Verdict.Wins() && r.Change == "" // which is why there is a good answer
	if len(now.Good) > 0 && !given && w.Kind != api.WhyLate {
		w = api.Why{Kind: api.WhyGood, Until: w.Until, Text: fmt.Sprintf("It has an answer now, by %s. Then: %s", printable.And(now.Good), w.Text)}
	}
	return w
}

func (r *Race) because(now Present) api.Why {
	if w, changed := r.becauseChanged(now); changed {
		return w
	}
	missing := r.missing()
	late, ruledOut := r.lateGood(), r.ruledOut()
	switch {
	case r.Filtered:
		return r.filteredWhy()
	case len(late) > 0:
		return api.Why{
			Kind: api.WhyLate,
			Text: fmt.Sprintf("The denial was wrong: %s had a good answer, but it came after %s, when the race was over.", late[0].Upstream, printable.Span(late[0].LateGood())),
			Do:   "Ask again. If it comes again, a longer timeout in the Corefile waits for that upstream.",
		}
	case (r.Verdict.Negative() || r.Verdict == race.Referral || r.Verdict.IsBogus()) && part(missing, now.Sole) != nil:
		return r.soleWhy(now)
	case len(r.filters()) > 0 && !r.Verdict.Wins(), r.filterWon():
		return r.filteredWhy()
	case len(ruledOut) > 0 && !r.Verdict.Wins():
		return r.ruledOutWhy(ruledOut)
	case r.Verdict == race.Truncated:
		return api.Why{Kind: api.WhyTruncated, Text: fmt.Sprintf("The answer of %s is too long for UDP, and over TCP nothing could be had. Clients on TCP got SERVFAIL.", r.By), Do: "Let TCP to port 53 of that upstream pass."}
	case (r.Verdict.Negative() || r.Verdict == race.Referral) && len(missing) > 0:
		w := api.Why{
			Kind: api.WhyInconclusive,
			Text: fmt.Sprintf("All others deny %s; no opinion came from %s.", r.denied(), r.legs(missing)),
			Do:   "See 'dnsmus status' for that upstream. If it is not meant for this machine, remove it from the list.",
		}
		if len(missing) > 1 {
			w.Do = "See 'dnsmus status' for these upstreams. If one is not meant for this machine, remove it from the list."
		}
		return w
	case r.Verdict == race.NoData, r.Verdict == race.NoDataSOA:
		text := fmt.Sprintf("The name exists, and has no %s record: %s says so.", dns.Type(r.Type), r.By)
		if r.Final {
			text = fmt.Sprintf("The name exists, and has no %s record: %s says so, and has answered another type of it, so not all others were waited for.", dns.Type(r.Type), r.By)
		}
		return api.Why{Kind: api.WhyNoData, Text: text}
	case r.Verdict.Negative():
		w := api.Why{Kind: api.WhyUnknown, Text: "No upstream knows the name, and all were heard."}
		if now.Sole != "" {
			w.Text += " " + now.knows() + ", and denies it, too."
		}
		if now.Nearest != "" {
			w.Do = fmt.Sprintf("Is it a typo? %s has an answer.", now.Nearest)
		}
		return w
	case r.Verdict.Wins() && r.Differ:
		w := api.Why{Kind: api.WhyDiffer, Text: fmt.Sprintf("Answers in the zone differ: %s give different ones; this one is by %s.", printable.And(now.Differ), r.By), Do: "The option prefer chooses."}
		if now.Prefer != "" {
			w.Text, w.Do = fmt.Sprintf("%s The option prefer (%s) chooses.", w.Text, now.Prefer), ""
		}
		return w
	case r.Verdict.Wins():
		return r.slowWhy()
	}
	if len(missing) == 0 {
		return api.Why{Kind: api.WhyFailed, Text: "No upstream had a usable reply."}
	}
	return api.Why{Kind: api.WhyFailed, Text: "All upstreams that replied failed: " + r.legs(missing) + ".", Do: "See 'dnsmus status'."}
}

// becauseChanged is why a client got something else than an upstream's reply.
func (r *Race) becauseChanged(now Present) (w api.Why, changed bool) {
	missing := r.missing()
	switch r.Change {
	case api.ChangedSpecial:
		return api.Why{Kind: api.WhySpecial, Text: "dnsmus answers this name itself, and asks no upstream: it is one for special use.", Do: "The option forward_special has upstreams asked."}, true
	case api.ChangedRefused:
		return api.Why{Kind: api.WhyRefused, Text: "More queries were under way than max_concurrent allows.", Do: "Find who asks so much, or raise max_concurrent."}, true
	case api.ChangedProven:
		return api.Why{Kind: api.WhyProven, Text: fmt.Sprintf("The name was denied, but an upstream has shown lately that it exists, so clients got NODATA: there is no %s record.", dns.Type(r.Type))}, true
	case api.ChangedForged:
		return api.Why{Kind: api.WhyForged, Text: fmt.Sprintf("Replies of %s had wrong ids, so somebody may forge them, and the denial of the others was not believed.", r.legs(missing)), Do: "An encrypted upstream (tls:// or https://) cannot be forged."}, true
	case api.ChangedUntrusted:
		return api.Why{Kind: api.WhyBogus, Text: "The only answers have private addresses, and are of upstreams that private_from leaves out.", Do: "Name the upstream in private_from, if it may give them."}, true
	case api.ChangedAlias:
		return api.Why{Kind: api.WhyAlias, Text: "The name is an alias, and nothing could be had of the name that it leads to: " + r.legs(missing) + "."}, true
	case api.ChangedStale:
		return api.Why{Kind: api.WhyStale, Text: fmt.Sprintf("What was kept was given, though its time is over: %s, who gave it, is away.", r.By)}, true
	case api.ChangedAway:
		w = api.Why{Kind: api.WhyDown, Text: "The only upstream that knows the zone was away: " + r.legs(missing) + ".", Do: downRemedy}
		if part(missing, now.Sole) != nil {
			w = r.soleWhy(now)
		}
		w.Text += " So clients got SERVFAIL in place of a denial."
		return w, true
	case api.ChangedNone:
		kind := api.Why{Kind: api.WhyFailed, Text: "No upstream replied: " + r.legs(missing) + ".", Do: "Is the network up? See 'dnsmus status'."}
		if len(missing) == 0 {
			kind.Text = "No upstream is known, or none replied."
		}
		return kind, true
	}
	return w, false
}

// until says how long what clients got stays.
func (r *Race) until(now Present) string {
	var text string
	switch {
	case r.TTL < 0:
		text = "Caches were given nothing to keep."
	case r.TTL == 0:
		text = "Caches may not keep it."
	default:
		may, over := "may", ""
		end := r.At.Add(time.Duration(r.TTL) * time.Second)
		if now.Now.After(end) {
			may, over = "might", ", which is over"
		}
		text = fmt.Sprintf("Clients %s keep it for %d s, until %s%s.", may, r.TTL, Clock(end), over)
	}
	if !r.Kept.IsZero() {
		keeps := "keeps"
		if now.Now.After(r.Kept) {
			keeps = "kept"
		}
		text += fmt.Sprintf(" dnsmus itself %s it until %s.", keeps, Clock(r.Kept))
	}
	if now.InFront && r.TTL < 0 {
		text += " A cache with serve_stale may give an older answer."
	}
	return text
}

// slowWhy is why a good answer took long.
func (r *Race) slowWhy() api.Why {
	w := api.Why{Kind: api.WhySlow, Text: fmt.Sprintf("The answer came after %s, by %s.", printable.Span(r.Took), r.By)}
	if missing := r.pending(); len(missing) > 0 {
		w.Text += fmt.Sprintf(" %s had not replied until then.", printable.And(missing))
	}
	w.Do = "See in 'dnsmus status' how long that upstream's replies take."
	return w
}
