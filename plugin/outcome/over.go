package outcome

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Of is the outcome of a race that a client's query was, with the state of its legs when it was
// over.
func Of(cfg *option.Values, q dns.Question, res *pool.Result, members []*pool.Member, legs []race.LegReport) api.Outcome {
	asked := new(query)
	if res.Leg >= 0 {
		asked.reply, _ = unpack(res.Msg)
	}
	held := &Race{cfg: cfg, query: q}
	o := held.decided(res, asked.answer(res), res.Took, false)
	o.since, o.ended = res.Took, true
	for i, leg := range legs {
		r := result{upstream: nameOf(members[i])}
		r.read(leg)
		o.results = append(o.results, r)
	}
	return o.api()
}
