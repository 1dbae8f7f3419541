package explain

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// asText is the outcome for people.
func asText(o *outcome, s style) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\n", printable.Text(o.cfg.question.Name), typeName(o.cfg.question.Qtype))
	if !o.special {
		for _, line := range table(o, s) {
			b.WriteString(line + "\n")
		}
		b.WriteString("\n")
	}
	for _, line := range summary(o, s) {
		b.WriteString(line + "\n")
	}
	return b.String()
}

// summary says what dnsmus replies, and how certain that is.
func summary(o *outcome, s style) []string {
	var lines []string
	what := rcodeName(o.reply.Rcode)
	if o.verdict == race.NoData || o.verdict == race.NoDataSOA || o.verdict == race.Untrusted {
		what = "NODATA"
	}
	if o.verdict == race.Truncated {
		what = "TC=1 without an answer"
	}
	what = s.paint(colourOf(o.verdict), what)
	if o.special {
		return []string{"dnsmus replies " + what + " itself; no upstream is asked for this name unless forward_special is set."}
	}
	head := "dnsmus replies " + what + " after " + span(o.took)
	switch {
	case o.interrupted && o.winner < 0:
		return []string{"Interrupted after " + span(o.took) + ", before any upstream replied."}
	case o.interrupted:
		head = fmt.Sprintf("Interrupted after %s. If nothing better comes, dnsmus replies %s", span(o.took), what)
	}
	if o.verdict == race.Untrusted {
		return append(lines, head+": private_from leaves out all upstreams that answered.")
	}
	if o.verdict == race.Broken {
		return append(lines, head+": the end of an alias was not found; "+o.missed()+".")
	}
	if o.winner < 0 {
		return append(lines, head+": no upstream replied.")
	}
	head += ", " + o.givers()
	section := o.reply.Answer
	if len(section) == 0 {
		section = o.reply.Ns
	}
	if len(section) > 0 {
		head += ":"
	}
	lines = append(lines, head)
	for _, rr := range section {
		lines = append(lines, "  "+recordText(rr))
	}
	lines = append(lines, o.trust()...)
	lines = append(lines, o.slowness()...)
	return append(lines, o.differences()...)
}

// givers says whose reply is given, or whose replies its parts are.
func (o *outcome) givers() string {
	if len(o.parts) == 0 {
		return "the reply of " + o.results[o.winner].server.String()
	}
	var parts []string
	for _, p := range o.parts {
		by := "dnsmus itself"
		if p.Giver != nil {
			by = p.Giver.String()
		}
		parts = append(parts, fmt.Sprintf("%s by %s", printable.Text(p.Name), by))
	}
	return strings.Join(parts, ", ")
}

// trust says whether the reply is conclusive, and what follows from that.
func (o *outcome) trust() []string {
	var lines []string
	switch {
	case o.verdict == race.Good && o.filtered:
		return []string{"Final: the reply says that a filter made it."}
	case o.verdict == race.Good && o.cfg.Prefer != option.None:
		return []string{"Conclusive: the best good answer that came in time is the reply; other replies do not matter."}
	case o.verdict == race.Good:
		return []string{"Conclusive: the first good answer is the reply; other replies do not matter."}
	case o.filtered:
		lines = append(lines, "Final: the reply says that a filter made it.")
	case o.verdict.Negative() && o.conclusive:
		lines = append(lines, "Conclusive: every upstream has given its opinion.")
	case o.verdict.Negative():
		lines = append(lines, "Inconclusive: "+o.missed()+".")
		if slices.ContainsFunc(o.missing, o.silent) {
			lines = append(lines, "The server stops waiting for an upstream that leaves a name without reply, or several names of a zone and the zone's own, until it answers one.")
		}
	case o.verdict == race.Truncated:
		return []string{"The answer is too long for UDP, and TCP failed: clients on TCP get SERVFAIL."}
	case !o.conclusive:
		return []string{"No usable reply: " + o.missed() + "."}
	default:
		return []string{"Every upstream has replied, and no reply is usable."}
	}
	if seconds, keep := o.ttl(); keep {
		line := fmt.Sprintf("Caches may keep it for %v", time.Duration(seconds)*time.Second)
		if o.known != nil {
			if longer, _ := o.ttlOf(o.known); longer > seconds {
				line += fmt.Sprintf(", or for %v while the name has an answer of another type", time.Duration(longer)*time.Second)
			}
		}
		lines = append(lines, line+".")
	} else {
		lines = append(lines, "Caches should not keep it: it has no SOA.")
	}
	return lines
}

// slow is how much later than all others an upstream replies that is worth a line.
const slow = 300 * time.Millisecond

// slowness says which upstream alone the reply has waited for.
func (o *outcome) slowness() []string {
	if o.verdict == race.Good || o.filtered || slices.ContainsFunc(o.results, func(res result) bool { return res.pending() }) {
		return nil
	}
	last, before := -1, time.Duration(0)
	for i := range o.results {
		switch after := o.results[i].after; {
		case o.results[i].late:
		case last < 0 || after > o.results[last].after:
			if last >= 0 {
				before = o.results[last].after
			}
			last = i
		default:
			before = max(before, after)
		}
	}
	if before == 0 || o.results[last].after-before < slow {
		return nil
	}
	line := fmt.Sprintf("Slow: all others had replied after %s, and waited for %s.", span(before), o.results[last].server)
	if o.known != nil {
		line += " While the name has an answer of another type, they do not."
	}
	return []string{line}
}

// missed lists the upstreams that gave no opinion, and why.
func (o *outcome) missed() string {
	var parts []string
	for _, i := range o.missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", o.results[i].server, o.why(i)))
	}
	for _, m := range o.missingEnds {
		parts = append(parts, fmt.Sprintf("%s (%s)", m.Upstream, m.Why))
	}
	return "no opinion from " + strings.Join(parts, ", ")
}

// differences says that answers differ, and which ones the option prefer would choose.
func (o *outcome) differences() []string {
	among := o.differing()
	if len(among) == 0 {
		return nil
	}
	var parts []string
	for _, i := range among {
		part := o.results[i].server.String() + " (" + recordsText(o.results[i].msg, o.cfg.question.Qtype, defaultData)
		if private(o.results[i].msg) {
			part += ", private"
		}
		parts = append(parts, part+")")
	}
	lines := []string{"Answers differ: " + strings.Join(parts, ", ") + "."}
	order, byAddress := o.preferred(among, option.Order), o.preferred(among, option.Private)
	if order == byAddress {
		return append(lines, fmt.Sprintf("'prefer order' and 'prefer private' would both choose %s.", o.results[order].server))
	}
	return append(lines, fmt.Sprintf("'prefer order' would choose %s, 'prefer private' %s.", o.results[order].server, o.results[byAddress].server))
}
