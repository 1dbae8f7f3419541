package pool

import (
	"context"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Query is what a client asks.
type Query interface {
	// Plain is asked of upstreams in plain DNS.
	Plain() *upstream.Query
	// Encrypted is asked of upstreams that only they can read. It is called if there
	// are any.
	Encrypted() *upstream.Query
	// Read unpacks a reply that is to be given. One that it returns an error for
	// counts as none.
	Read(reply []byte) error
}

// Race is a race over the upstreams of a pool. Its methods are for one goroutine,
// but for Legs.
type Race struct {
	Members []*Member // by leg

	query            Query
	plain, encrypted *upstream.Query
	setup            race.Setup
	batch            *upstream.Batch
	race             race.Race
}

// Start asks all upstreams in use (R1), as if nothing were known.
func (p *Pool) Start(q Query) *Race {
	a := &Race{Members: p.set.Load().whom(wire.Question(q.Plain().Msg)).members}
	a.put(p, q)
	if a.setup.Watched = true; !a.setup.Final {
		a.setup.Prefer = preference(&p.cfg, len(a.Members), knowledge.Standing{}, -1)
	}
	a.start(nil)
	return a
}

// put makes q what is asked, by the rules for that.
func (a *Race) put(p *Pool, q Query) {
	if p.links.wanted.Load() {
		p.followLinks()
	}
	a.query, a.plain = q, q.Plain()
	if slices.ContainsFunc(a.Members, func(m *Member) bool { return m.Server.Transport.Encrypted() }) {
		a.encrypted = q.Encrypted()
	}
	a.setup = race.Setup{Rules: p.cfg.Rules, DNSSEC: wire.DO(a.plain.Msg)}
	if question := wire.Question(a.plain.Msg); question != nil {
		special, _ := p.Special(question)
		a.setup.Final = special == DenialFinal
	}
}

// start asks. A nil clock is as in [race.Clock].
func (a *Race) start(clock *race.Clock) { a.race.Begin(clock, a.setup, len(a.Members), a) }

// AskLeg implements race.Asker.
func (a *Race) AskLeg(i int, leg *race.Leg) (race.Exchange, time.Time) {
	if a.setup.DNSSEC {
		leg.Signs(a.Members[i].Signs(a.Query(i)))
	}
	if a.batch == nil {
		a.batch = upstream.NewBatch()
	}
	return a.batch.Ask(a.Members[i].Upstream, a.Query(i), leg)
}

// Asked implements race.Asker.
func (a *Race) Asked() {
	if a.batch != nil {
		a.batch.Send()
		a.batch = nil
	}
}

// Query is what leg i asks.
func (a *Race) Query(i int) *upstream.Query {
	if a.Members[i].Server.Transport.Encrypted() {
		return a.encrypted
	}
	return a.plain
}

// Wait returns how the race ends. A reply that cannot be read is none.
func (a *Race) Wait(ctx context.Context) race.Result {
	res := a.race.Wait(ctx)
	for res.Leg >= 0 && a.query.Read(res.Msg) != nil {
		a.race.Discard(res.Leg)
		res = a.race.Wait(ctx)
	}
	for i, err := range res.Errs {
		if err == race.ErrDown && !a.Members[i].Linked() {
			res.Errs[i] = upstream.ErrLinkGone
		}
	}
	return res
}

// Linger waits, after Wait, for those who are late.
func (a *Race) Linger(ctx context.Context) { a.race.Linger(ctx) }

// Legs tells what has become of each leg so far. It may be called from any goroutine,
// but not after End.
func (a *Race) Legs() []race.LegReport { return a.race.Legs() }

// Begun is when the upstreams were asked.
func (a *Race) Begun() time.Time { return a.race.Begun() }

// End must be called when nobody waits any more.
func (a *Race) End() {
	a.race.End()
	a.query, a.plain, a.encrypted = nil, nil, nil // late replies may keep the rest
}
