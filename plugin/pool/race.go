package pool

import (
	"context"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Race is a race over the upstreams of a pool. Its methods are for one goroutine,
// but for Legs.
type Race struct {
	Members []*Member // by leg

	query            Query
	plain, encrypted *upstream.Query
	pool             *Pool // whose upstreams that come later are asked too, and for the ends of aliases; nil: none are
	set              *set  // of upstreams, when that was last looked at
	begunWith        int   // so many members; those that came later follow
	forHost          bool  // it looks up the host of an upstream, so it asks none that needs that itself
	batch            *upstream.Batch
	race             race.Race

	// Guarded by calls.mu.
	asksFor *ends   // nil: there was no alias yet
	ends    []*end  // of aliases among the replies; added by the goroutine that waits
	given   *end    // of the alias that the reply begins with; of that goroutine alone
	waits   []*call // for what comes of these
}

// prepare sets what is asked.
func (r *Race) prepare(q Query) {
	r.query, r.plain = q, q.Plain()
	r.prepareEncrypted()
}

// prepareEncrypted sets what is asked over encrypted connections, if there are any.
func (r *Race) prepareEncrypted() {
	if r.encrypted == nil && slices.ContainsFunc(r.Members, func(m *Member) bool { return m.Server.Transport.Encrypted() }) {
		r.encrypted = r.query.Encrypted()
	}
}

// begin begins the race. A nil clock is as in [race.Clock].
func (r *Race) begin(clock *race.Clock) {
	r.begunWith = len(r.Members)
	r.race.Begin(clock, r.begunWith, r)
}

// setup is how the race is run.
func (r *Race) setup() *race.Setup { return r.race.Setup() }

// AskLeg implements race.Asker.
func (r *Race) AskLeg(i int, leg *race.Leg) (race.Exchange, instant.Time) {
	if r.setup().DNSSEC {
		known, wait := r.Members[i].Signs(r.Query(i))
		if i >= r.begunWith { // a good answer is not held up by who came later
			wait = 0
		}
		leg.Signs(known, wait)
	}
	if !r.Members[i].MayGivePrivate() {
		leg.NoPrivate()
	}
	if r.batch == nil {
		r.batch = upstream.NewBatch()
	}
	q := r.Query(i)
	if r.OverLink() {
		over := *q
		over.OverLink = true
		q = &over
	}
	return r.batch.Ask(r.Members[i].Upstream, q, leg)
}

// OverLink reports whether the upstreams are asked over their links alone, because the name
// is in a domain of these (R21).
func (r *Race) OverLink() bool { return r.set != nil && r.set.part }

// Asked implements race.Asker.
func (r *Race) Asked() {
	if r.batch != nil {
		r.batch.Send()
		r.batch = nil
	}
}

// More implements race.Asker: the upstreams that were put into use since the race began.
func (r *Race) More() int {
	if r.pool == nil {
		return 0
	}
	now := r.pool.set.Load().route(wire.Question(r.plain.Msg))
	if now == r.set || r.set.part && !now.part { // what was asked of few is shown to no others
		return 0
	}
	r.set = now
	var more []*Member
	for _, m := range now.members {
		if !slices.Contains(r.Members, m) && (!r.forHost || !m.Server.NeedsBootstrap()) {
			more = append(more, m)
		}
	}
	if len(more) > 0 {
		r.Members = slices.Concat(r.Members, more)
		r.prepareEncrypted()
	}
	return len(more)
}

// Query is what a leg asks.
func (r *Race) Query(i int) *upstream.Query {
	if r.Members[i].Server.Transport.Encrypted() {
		return r.encrypted
	}
	return r.plain
}

// Wait returns how the race ends.
func (r *Race) Wait(ctx context.Context) race.Result {
	var res race.Result
	r.waitUntil(ctx, race.Forever, &res)
	return res
}

// waitUntil is Wait, but no longer than that after the race's beginning. It reports whether the
// race is over, and if it is sets the result.
func (r *Race) waitUntil(ctx context.Context, until time.Duration, res *race.Result) (over bool) {
	over = r.race.WaitUntil(ctx, until, res)
	for over && res.Leg >= 0 && r.query.Read(res.Msg) != nil {
		r.race.Discard(res.Leg)
		over = r.race.WaitUntil(ctx, until, res)
	}
	for i, err := range res.Errs {
		if gone := r.Members[i].LinkError(r.OverLink()); err == race.ErrDown && gone != nil {
			res.Errs[i] = gone
		}
	}
	return over
}

// Linger waits, after Wait, for late replies.
func (r *Race) Linger(ctx context.Context) { r.race.Linger(ctx) }

// Legs returns the state of each leg. It may be called from any goroutine, but not after
// End.
func (r *Race) Legs() []race.LegReport { return r.race.Legs() }

// EachLeg calls f with the state of each leg, as in [race.Race].
func (r *Race) EachLeg(f func(i int, leg *race.LegReport)) { r.race.EachLeg(f) }

// Begun is when the race began.
func (r *Race) Begun() time.Time { return r.race.Begun() }

// End ends the race. It must be called.
func (r *Race) End() {
	r.race.End()
	r.query, r.plain, r.encrypted = nil, nil, nil // late replies may keep the rest
}
