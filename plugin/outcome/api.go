package outcome

import (
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// api is the outcome for others.
func (o *outcome) api() api.Outcome {
	answer := written(o.reply.Answer)
	out := api.Outcome{
		Name:        printable.Name(o.question.Name),
		Type:        typeName(o.question.Qtype),
		Verdict:     o.verdict.String(),
		Rcode:       printable.Rcode(o.reply.Rcode),
		Seconds:     o.took.Seconds(),
		Answer:      texts(answer),
		Authority:   texts(written(o.reply.Ns)),
		Conclusive:  o.conclusive,
		Missing:     []api.Missing{},
		TTL:         o.ttl(o.reply),
		Differ:      []string{},
		Parts:       []api.Part{},
		Upstreams:   []api.Leg{},
		Asked:       api.AskedAll,
		Interrupted: o.interrupted,
		Filtered:    o.filtered,
		Final:       o.final(),
		Prefer:      preferences[o.cfg.Prefer],
		Kept:        o.kept,
	}
	if len(answer) > 0 {
		data := dataOf(o.reply, answer, o.question.Qtype, maxData)
		out.Data = &data
	}
	change := ""
	switch {
	case o.special:
		out.Asked, change = api.AskedNone, api.ChangedSpecial
	case o.res != nil:
		out.Asked, change = Asked(o.res), Changed(o.res)
	}
	if change != "" {
		out.Changed = &change
	}
	if longer := o.ttl(o.known); longer != nil && out.TTL != nil && *longer > *out.TTL {
		out.LongerTTL = longer
	}
	if among := o.differing(); len(among) > 0 {
		for _, i := range among {
			out.Differ = append(out.Differ, o.results[i].upstream)
		}
		out.Preferred = &api.Preferred{
			Order:   o.results[o.preferred(among, option.Order)].upstream,
			Private: o.results[o.preferred(among, option.Private)].upstream,
		}
	}
	switch {
	case o.stale():
		by := pool.Names(o.res.Stale.Givers)
		out.Upstream = &by
	case o.winner >= 0:
		out.Upstream = &o.results[o.winner].upstream
	}
	for _, i := range o.missing {
		out.Missing = append(out.Missing, api.Missing{Upstream: o.results[i].upstream, Why: o.why(i), Silent: o.silent(i)})
	}
	out.Missing = append(out.Missing, o.missingEnds...)
	for _, p := range o.parts {
		part := api.Part{Name: printable.Name(p.Name)}
		if p.Giver != nil {
			by := nameOf(p.Giver)
			part.Upstream = &by
		}
		out.Parts = append(out.Parts, part)
	}
	for i := range o.results {
		out.Upstreams = append(out.Upstreams, o.leg(i))
	}
	return out
}

// stale reports whether the client gets what was kept, and no upstream's reply of now.
func (o *outcome) stale() bool { return o.res != nil && o.res.Stale != nil }

// preferences are the words of the option.
var preferences = map[option.Preference]string{option.Order: "order", option.Private: "private"}

// leg is what became of upstream i.
func (o *outcome) leg(i int) api.Leg {
	res := &o.results[i]
	leg := api.Leg{
		Upstream:       res.upstream,
		Verdict:        res.verdict.String(),
		Winner:         i == o.winner && !o.stale(),
		Late:           res.late,
		Why:            o.why(i),
		Answer:         []string{},
		Authority:      []string{},
		Alias:          res.alias,
		Stream:         res.stream,
		ExtendedErrors: []string{},
		Down:           res.down,
		Unasked:        res.unasked,
	}
	if !res.pending() {
		seconds := res.after.Seconds()
		leg.Seconds = &seconds
	}
	if m := res.msg; m != nil {
		answer := written(m.Answer)
		rcode, data := printable.Rcode(m.Rcode), dataOf(m, answer, o.question.Qtype, maxData)
		leg.Rcode, leg.Data, leg.Truncated = &rcode, &data, m.Truncated
		leg.Answer, leg.Authority = texts(answer), texts(written(m.Ns))
		leg.Private = len(m.Answer) > 0 && res.private()
		leg.ExtendedErrors = append(leg.ExtendedErrors, extendedErrors(m)...)
	}
	return leg
}

func missingEnd(upstream string, err error) api.Missing {
	return api.Missing{Upstream: upstream, Why: printable.ASCII(err.Error())}
}

// nameOf is the name of an upstream. That of its interface may be in any characters.
func nameOf(m *pool.Member) string { return printable.ASCII(m.String()) }
