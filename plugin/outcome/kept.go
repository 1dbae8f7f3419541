package outcome

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// OfKept is the outcome of a query to which the reply is what was kept: nobody was asked.
func OfKept(q dns.Question, k *pool.Kept, reply []byte) api.Outcome {
	out := api.Outcome{
		Name: printable.Name(q.Name), Type: typeName(q.Qtype), Verdict: k.Verdict.String(), Rcode: printable.Rcode(k.Rcode()),
		Conclusive: !k.Inconclusive, Asked: api.AskedNone,
		Answer: []string{}, Authority: []string{}, Missing: []api.Missing{}, Differ: []string{}, Parts: []api.Part{}, Upstreams: []api.Leg{},
	}
	if m, err := unpack(reply); err == nil {
		answer := written(m.Answer)
		out.Answer, out.Authority = texts(answer), texts(written(m.Ns))
		if len(answer) > 0 {
			data := dataOf(m, answer, q.Qtype, maxData)
			out.Data = &data
		}
	}
	if len(k.Givers) > 0 {
		by := nameOf(k.Givers[0])
		out.Upstream = &by
	}
	return out
}

// kept is what the pool's cache has for the question.
type kept struct {
	*pool.Kept // nil: nothing
	age        time.Duration
	state      cache.State
}

func (a *Race) kept() (k kept) {
	if a.pool.KeptReplies() == 0 {
		return k
	}
	if question, flags, ok := cache.Keyed(a.message); ok {
		k.Kept, k.age, k.state = a.pool.Kept(question, flags, time.Now())
	}
	return k
}

// keptBefore says what the cache had before the race.
func (a *Race) keptBefore(k kept) *api.Kept {
	if k.Kept == nil {
		return nil
	}
	out := &api.Kept{
		Verdict: k.Verdict.String(), Rcode: printable.Rcode(k.Rcode()), Upstreams: []string{}, Answer: []string{},
		Since: k.Kept.Kept().UTC(), Until: k.Ends().UTC(), Stale: k.state != cache.Alive, Replaced: a.kept().Kept != k.Kept,
	}
	for _, giver := range k.Givers {
		out.Upstreams = append(out.Upstreams, nameOf(giver))
	}
	if m, err := unpack(k.AppendTo(nil, k.age)); err == nil {
		out.Answer = texts(written(m.Answer))
	}
	return out
}
