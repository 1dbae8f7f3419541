package explain

import (
	"bytes"
	"encoding/json"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// The names of members are an interface for programs. What is unknown is null.

type jsonOutcome struct {
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Verdict     string         `json:"verdict"`
	Rcode       string         `json:"rcode"`
	Upstream    *string        `json:"upstream"` // whose reply is given
	Seconds     float64        `json:"seconds"`  // that the race took
	Answer      []string       `json:"answer"`
	Authority   []string       `json:"authority"`
	Conclusive  bool           `json:"conclusive"`
	Missing     []jsonMissing  `json:"missing"` // the upstreams that gave no opinion
	TTL         *uint32        `json:"ttl"`     // seconds that caches may keep the reply
	Interrupted bool           `json:"interrupted"`
	Differ      []string       `json:"differ"`    // upstreams whose good answers differ
	Preferred   *jsonPreferred `json:"preferred"` // whose of these answers prefer would take
	Parts       []jsonPart     `json:"parts"`     // of a reply that is an alias of one upstream and what it leads to, as others say
	Upstreams   []jsonUpstream `json:"upstreams"`
}

type jsonPart struct {
	Name     string  `json:"name"`
	Upstream *string `json:"upstream"` // null: dnsmus itself
}

type jsonPreferred struct {
	Order   string `json:"order"`
	Private string `json:"private"`
}

type jsonMissing struct {
	Upstream string `json:"upstream"`
	Why      string `json:"why"`
}

type jsonUpstream struct {
	Upstream       string   `json:"upstream"`
	Seconds        *float64 `json:"seconds"` // until its reply or its failure
	Rcode          *string  `json:"rcode"`
	Verdict        string   `json:"verdict"`
	Winner         bool     `json:"winner"`
	Late           bool     `json:"late"` // the race was over without it
	Why            string   `json:"why"`
	Answer         []string `json:"answer"`
	Authority      []string `json:"authority"`
	Truncated      bool     `json:"truncated"`
	ExtendedErrors []string `json:"extended_errors"`
}

// asJSON is the outcome for programs.
func asJSON(o *outcome) []byte {
	out := jsonOutcome{
		Name:        o.cfg.question.Name,
		Type:        typeName(o.cfg.question.Qtype),
		Verdict:     o.verdict.String(),
		Rcode:       rcodeName(o.reply.Rcode),
		Seconds:     o.took.Seconds(),
		Answer:      texts(o.reply.Answer),
		Authority:   texts(o.reply.Ns),
		Conclusive:  o.conclusive,
		Missing:     []jsonMissing{},
		Interrupted: o.interrupted,
		Differ:      []string{},
		Parts:       []jsonPart{},
		Upstreams:   []jsonUpstream{},
	}
	if among := o.differing(); len(among) > 0 {
		for _, i := range among {
			out.Differ = append(out.Differ, o.results[i].server.String())
		}
		out.Preferred = &jsonPreferred{
			Order:   o.results[o.preferred(among, option.Order)].server.String(),
			Private: o.results[o.preferred(among, option.Private)].server.String(),
		}
	}
	if o.winner >= 0 {
		name := o.results[o.winner].server.String()
		out.Upstream = &name
	}
	if seconds, keep := o.ttl(); keep {
		out.TTL = &seconds
	}
	for _, i := range o.missing {
		out.Missing = append(out.Missing, jsonMissing{o.results[i].server.String(), o.why(i)})
	}
	out.Missing = append(out.Missing, o.missingEnds...)
	for _, p := range o.parts {
		part := jsonPart{Name: printable.Text(p.Name)}
		if p.Giver != nil {
			by := p.Giver.String()
			part.Upstream = &by
		}
		out.Parts = append(out.Parts, part)
	}
	for i := range o.results {
		out.Upstreams = append(out.Upstreams, o.jsonUpstream(i))
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		panic(err) // there is nothing in it that cannot be encoded
	}
	return b.Bytes()
}

func (o *outcome) jsonUpstream(i int) jsonUpstream {
	res := &o.results[i]
	u := jsonUpstream{
		Upstream:       res.server.String(),
		Verdict:        res.verdict.String(),
		Winner:         i == o.winner,
		Late:           res.late,
		Why:            o.why(i),
		Answer:         []string{},
		Authority:      []string{},
		ExtendedErrors: []string{},
	}
	if !res.pending() {
		seconds := res.after.Seconds()
		u.Seconds = &seconds
	}
	if m := res.msg; m != nil {
		rcode := rcodeName(m.Rcode)
		u.Rcode, u.Truncated = &rcode, m.Truncated
		u.Answer, u.Authority = texts(m.Answer), texts(m.Ns)
		u.ExtendedErrors = append(u.ExtendedErrors, extendedErrors(m)...)
	}
	return u
}

func texts(records []dns.RR) []string {
	list := []string{}
	for _, rr := range records {
		list = append(list, recordText(rr))
	}
	return list
}
