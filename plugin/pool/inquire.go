package pool

import (
	"context"
	"strconv"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Inquiry is a race that is held to be shown to people. It is a client's in all but that no
// client shares it, and that late replies can be waited for.
type Inquiry struct {
	call *call
	key  string
}

// Inquire begins a race for the query, with all that is known. It must be ended.
func (p *Pool) Inquire(q Query) *Inquiry {
	query := q.Plain()
	i := &Inquiry{key: keyOf(query) + " inquiry " + strconv.FormatInt(p.inquiries.Add(1), 10)}
	i.call, _ = p.calls.join(i.key, p, wire.Question(query.Msg))
	c := i.call
	p.prepare(&c.race, q)
	c.plan(true)
	c.keeping = c.keeping.of(c.race.plain.Msg, p.cfg.TrustAD)
	c.race.begin(&p.clock)
	return i
}

// Race is the race, whose legs may be looked at from any goroutine until End.
func (i *Inquiry) Race() *Race { return &i.call.race }

// Wait returns what a client would get, as soon as it would.
func (i *Inquiry) Wait(ctx context.Context) *Result {
	if c := i.call; !c.await(ctx, c.keeping.wait()) {
		return c.goesOn()
	}
	return &i.call.Result
}

// Linger waits, after Wait, for the replies that are late.
func (i *Inquiry) Linger(ctx context.Context) {
	if i.call.early != nil {
		i.call.await(ctx, race.Forever)
	}
	i.call.race.Linger(ctx)
}

// End ends the race.
func (i *Inquiry) End() { i.call.end(i.key) }
