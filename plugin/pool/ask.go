package pool

import (
	"context"
	"time"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Ask runs a race for the query. If an equal query is in flight, it waits for the race of that
// one instead (R11; RFC 5452, section 5). Queries are equal if they are the same in all that
// changes the answer. First reports whether the race is to be counted for this query; if it
// was begun by another, q.Read was not called. If look is not nil, it is called with a race of
// the query's own, when that is over.
func (p *Pool) Ask(q Query, look func(*Race)) (res *Result, first bool) {
	query := q.Plain()
	key := keyOf(query)
	c, first := p.calls.join(key, p, wire.Question(query.Msg))
	c.clients.Add(1)
	if !first {
		if res = c.outcome(); !c.cut(res, nil) {
			return res, !c.asked.Swap(true)
		}
		c, first = p.calls.join(key, p, wire.Question(query.Msg))
		c.clients.Add(1)
		if !first {
			return c.outcome(), !c.asked.Swap(true)
		}
	}
	c.asked.Store(true)
	return p.run(c, key, q, look), true
}

// run runs the race of a new call, and returns what its clients get. If it takes long, and
// there is something to give them meanwhile, it goes on in the background (R24).
func (p *Pool) run(c *call, key string, q Query, look func(*Race)) *Result {
	defer c.close(key)
	p.prepare(&c.race, q)
	c.plan(look != nil)
	if !c.set.used.Load() {
		c.set.use()
	}
	c.keeping = c.keeping.of(c.race.plain.Msg, p.cfg.TrustAD)
	c.race.begin(&p.clock)
	over := c.await(context.Background(), c.keeping.wait())
	if look != nil {
		look(&c.race)
	}
	if over {
		return &c.Result
	}
	c.race.query = q.Detached()
	res := c.goesOn()
	go func() {
		defer c.end(key)
		c.await(context.Background(), race.Forever)
	}()
	return res
}

// await waits for the end of the race, no longer than that after its beginning, and takes down
// what came of it. It reports whether the race is over. A client that goes away, as over HTTPS or
// QUIC, does not end ctx, for others may wait for its race.
func (c *call) await(ctx context.Context, until time.Duration) (over bool) {
	if !c.race.waitUntil(ctx, until, &c.Result.Result) {
		return false
	}
	if c.set.cfg.Prefer != option.None {
		c.inView()
	}
	c.Members = c.race.Members
	c.Took = time.Since(c.race.Begun())
	c.race.AddEnds(&c.Result)
	c.learn(ctx, c.race.plain.Msg)
	now := time.Now()
	c.keep(now)
	if c.late != nil || c.pool.cfg.Over != nil {
		c.tell(now)
	}
	return true
}

// close ends a call, unless it goes on in the background.
func (c *call) close(key string) {
	if c.early == nil {
		c.end(key)
	}
}

// end ends a call.
func (c *call) end(key string) {
	c.race.End()
	c.pool.calls.finish(key, c)
}

// prepare sets up a race that asks q.
func (p *Pool) prepare(r *Race, q Query) {
	if err := p.links.watch(); err != nil && p.cfg.Late != nil {
		p.cfg.Late(err)
	}
	r.prepare(q)
	setup := r.setup()
	setup.Rules, setup.Aliases, setup.DNSSEC = p.cfg.Rules, true, wire.DO(r.plain.Msg)
	if question := wire.Question(r.plain.Msg); question != nil {
		special, _ := p.Special(question)
		setup.Final = special == DenialFinal
	}
}

// maxRenewals is how many answers are asked for again at a time, before their end.
const maxRenewals = 100

// Renew asks for what is kept again, before its end, and does not wait for that. It reports
// whether it does so: not more than some are asked for at a time.
func (p *Pool) Renew(q Query) bool {
	if p.renewals.Add(1) > maxRenewals {
		p.renewals.Add(-1)
		return false
	}
	go func() {
		defer p.renewals.Add(-1)
		p.Ask(q, nil)
	}()
	return true
}
