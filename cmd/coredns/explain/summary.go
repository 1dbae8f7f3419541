package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Text is an outcome for people: first what it is, then what each upstream said.
func Text(o *api.Outcome, now time.Time, s show.Screen) (lines []string) {
	what := show.Reply(o)
	for i, line := range append(summary(o), cached(o, now)...) {
		wrapped := s.Lines(line)
		if i == 0 {
			wrapped[0] = strings.Replace(wrapped[0], ": "+what, ": "+s.Paint(show.VerdictColour(o.Verdict), what), 1)
		}
		lines = append(lines, wrapped...)
	}
	if len(o.Upstreams) > 0 {
		lines = append(append(lines, ""), show.Legs(o.Upstreams, false, 0).Lines(s)...)
	}
	return lines
}

// summary says what dnsmus replies, and how certain that is. The first line names the question.
func summary(o *api.Outcome) []string {
	what := show.Reply(o)
	head := fmt.Sprintf("%s %s: ", o.Name, o.Type)
	after := " after " + printable.Span(show.Seconds(o.Seconds))
	switch {
	case o.Interrupted && o.Upstream == nil:
		return []string{head + "interrupted" + after + ", before it was known what dnsmus replies."}
	case o.Interrupted:
		head += "interrupted" + after + "; if nothing better comes, "
		after = ""
	}
	head += what + after
	switch {
	case show.Changed(o, "special"):
		return []string{fmt.Sprintf("%s %s: %s, from dnsmus itself; no upstream is asked for this name unless forward_special is set.", o.Name, o.Type, what)}
	case show.Changed(o, "untrusted"):
		return []string{head + ": private_from leaves out all upstreams that answered."}
	case show.Changed(o, "alias"):
		return []string{head + ": the end of an alias was not found; " + missed(o) + "."}
	case show.Changed(o, "away"):
		return []string{head + ": others deny the name, and the only upstream that knows its zone is away; " + missed(o) + "."}
	case show.Changed(o, "forged"):
		return []string{head + ": replies of an upstream may be forged."}
	case show.Changed(o, "refused"):
		return []string{head + ": as many queries as max_concurrent allows were under way."}
	case show.Changed(o, "proven"):
		head += ": the name was denied, but it has an answer of another type"
	case show.Changed(o, "stale"):
		head += ": an answer that was kept is given, as its upstream is away"
	case o.Upstream == nil:
		return []string{head + ": no upstream replied."}
	default:
		head += ", " + givers(o)
	}
	section := o.Answer
	if len(section) == 0 {
		section = o.Authority
	}
	if len(section) > 0 {
		head += ":"
	}
	lines := []string{head}
	for _, record := range section {
		lines = append(lines, "  "+strings.ReplaceAll(record, "\t", " "))
	}
	lines = append(lines, trust(o)...)
	lines = append(lines, unasked(o)...)
	lines = append(lines, slowness(o)...)
	return append(lines, differences(o)...)
}

// givers says whose reply is given, or whose replies its parts are.
func givers(o *api.Outcome) string {
	if len(o.Parts) == 0 {
		return "the reply of " + *o.Upstream
	}
	var parts []string
	for _, p := range o.Parts {
		by := "dnsmus itself"
		if p.Upstream != nil {
			by = *p.Upstream
		}
		parts = append(parts, p.Name+" by "+by)
	}
	return strings.Join(parts, ", ")
}

// cached says what the server's own cache had, and whether clients still get that.
func cached(o *api.Outcome, now time.Time) []string {
	k := o.Kept
	if k == nil {
		return nil
	}
	had := show.Reply(&api.Outcome{Verdict: k.Verdict, Rcode: k.Rcode})
	if len(k.Upstreams) > 0 {
		had += " by " + printable.And(k.Upstreams)
	}
	had += ", since " + show.Clock(k.Since, now)
	switch {
	case k.Replaced:
		return []string{"Until now the cache had " + had + "."}
	case k.Stale:
		return []string{"The cache has " + had + ", to be given while its upstream is away."}
	}
	return []string{fmt.Sprintf("Clients get what the cache has, until %s: %s.", show.Clock(k.Until, now), had)}
}

func isDenial(o *api.Outcome) bool { return o.Verdict == "nodata" || o.Verdict == "nxdomain" }

// trust says whether the reply is conclusive, and what follows from that.
func trust(o *api.Outcome) []string {
	var lines []string
	good := o.Verdict == "good" || o.Verdict == "cname"
	switch {
	case good && o.Filtered:
		return []string{"Final: the reply says that a filter made it."}
	case good && o.Prefer != "":
		return []string{"Conclusive: the best good answer that came in time is the reply; other replies do not matter."}
	case good:
		return []string{"Conclusive: the first good answer is the reply; other replies do not matter."}
	case o.Filtered:
		lines = append(lines, "Final: the reply says that a filter made it.")
	case isDenial(o) && o.Final:
		lines = append(lines, "Final: no opinion was needed from "+printable.And(unheard(o))+".")
	case isDenial(o) && o.Conclusive:
		lines = append(lines, "Conclusive: every upstream has given its opinion.")
	case isDenial(o):
		lines = append(lines, "Inconclusive: "+missed(o)+".")
		if slices.ContainsFunc(o.Missing, func(m api.Missing) bool { return m.Silent }) {
			lines = append(lines, "The server stops waiting for an upstream that leaves a name without reply, or several names of a zone and the zone's own, until it answers one.")
		}
	case o.Verdict == "truncated":
		return []string{"The answer is too long for UDP, and TCP failed: clients on TCP get SERVFAIL."}
	case !o.Conclusive:
		return []string{"No usable reply: " + missed(o) + "."}
	default:
		return []string{"Every upstream has replied, and no reply is usable."}
	}
	if o.TTL == nil {
		return append(lines, "Caches should not keep it: it has no SOA.")
	}
	line := fmt.Sprintf("Caches may keep it for %d s", *o.TTL)
	if o.LongerTTL != nil {
		line += fmt.Sprintf(", or for %d s while the name has an answer of another type", *o.LongerTTL)
	}
	return append(lines, line+".")
}

// unheard are the upstreams without a reply in time.
func unheard(o *api.Outcome) (names []string) {
	for _, leg := range o.Upstreams {
		if leg.Rcode == nil || leg.Late {
			names = append(names, leg.Upstream)
		}
	}
	return names
}

// unasked says why some were not.
func unasked(o *api.Outcome) []string {
	if o.Asked != "knower" || !slices.ContainsFunc(o.Upstreams, func(leg api.Leg) bool { return leg.Unasked }) {
		return nil
	}
	return []string{"Others were not asked, as it is known who knows the zone; --alone asks all."}
}

// slow is how much later than all others an upstream replies that is worth a line.
const slow = 300 * time.Millisecond

// slowness says which upstream alone the reply has waited for.
func slowness(o *api.Outcome) []string {
	pending := func(leg api.Leg) bool { return leg.Seconds == nil }
	if o.Verdict == "good" || o.Filtered || slices.ContainsFunc(o.Upstreams, pending) {
		return nil
	}
	last, before := -1, time.Duration(0)
	after := func(i int) time.Duration { return show.Seconds(*o.Upstreams[i].Seconds) }
	for i := range o.Upstreams {
		switch {
		case o.Upstreams[i].Late:
		case last < 0 || after(i) > after(last):
			if last >= 0 {
				before = after(last)
			}
			last = i
		default:
			before = max(before, after(i))
		}
	}
	if before == 0 || after(last)-before < slow {
		return nil
	}
	line := fmt.Sprintf("Slow: all others had replied after %s, and waited for %s.", printable.Span(before), o.Upstreams[last].Upstream)
	if o.LongerTTL != nil {
		line += " While the name has an answer of another type, they do not."
	}
	return []string{line}
}

// missed lists the upstreams that gave no opinion, and why.
func missed(o *api.Outcome) string {
	var parts []string
	for _, m := range o.Missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", m.Upstream, m.Why))
	}
	return "no opinion from " + strings.Join(parts, ", ")
}

// differences says that answers differ, and which ones the option prefer would choose.
func differences(o *api.Outcome) []string {
	if o.Preferred == nil {
		return nil
	}
	var parts []string
	for _, leg := range o.Upstreams {
		if !slices.Contains(o.Differ, leg.Upstream) || leg.Data == nil {
			continue
		}
		part := leg.Upstream + " (" + *leg.Data
		if leg.Private {
			part += ", private"
		}
		parts = append(parts, part+")")
	}
	lines := []string{"Answers differ: " + strings.Join(parts, ", ") + "."}
	if o.Preferred.Order == o.Preferred.Private {
		return append(lines, fmt.Sprintf("'prefer order' and 'prefer private' would both choose %s.", o.Preferred.Order))
	}
	return append(lines, fmt.Sprintf("'prefer order' would choose %s, 'prefer private' %s.", o.Preferred.Order, o.Preferred.Private))
}

// searchHint says what programs ask for instead of a name without a dot; empty: nothing.
func searchHint(name string, domains []string, command string) string {
	if dns.CountLabel(name) != 1 || len(domains) == 0 {
		return ""
	}
	var asks []string
	for _, domain := range domains {
		asks = append(asks, command+" "+show.Quoted(printable.Name(name)+strings.Trim(printable.ASCII(domain), ".")))
	}
	return fmt.Sprintf("%s has no dot, so programs look for it in search domains first. Ask for it there: %s", strings.TrimSuffix(printable.Name(name), "."), strings.Join(asks, ", "))
}
