package pool

import (
	"context"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Query is what a client asks.
type Query struct {
	Plain *upstream.Query // of upstreams in plain DNS, and of all if Encrypted is nil

	// Encrypted returns the same query for upstreams that only they can read. It is
	// called if there are any.
	Encrypted func() *upstream.Query

	// Read unpacks a reply that is to be given. One that it returns an error for
	// counts as none. Nil takes all.
	Read func(reply []byte) error

	// Look is shown the race when it is over, if this query began it: what each leg
	// was asked, and what became of it. Nil looks at nothing.
	Look func(*Asking)
}

// Asking is a race over the upstreams of a pool. Its methods are for one goroutine,
// but for Legs.
type Asking struct {
	Members []*Member // by leg
	Rules   race.Rules

	plain, encrypted *upstream.Query
	read             func([]byte) error
	race             *race.Race
}

// Start asks all upstreams in use (R1).
func (p *Pool) Start(q Query) *Asking { return p.start(q, p.Members()) }

func (p *Pool) start(q Query, set []*Member) *Asking {
	a := &Asking{Members: set, Rules: p.cfg.Rules, plain: q.Plain, encrypted: q.Plain, read: q.Read}
	if q.Encrypted != nil && slices.ContainsFunc(set, func(m *Member) bool { return m.Server.Transport.Encrypted() }) {
		a.encrypted = q.Encrypted()
	}
	a.race = p.cfg.Rules.Start(len(set), func(i int, leg *race.Leg) (race.Retrier, time.Time) {
		return set[i].Ask(a.Query(i), leg)
	})
	return a
}

// Query is what leg i asks.
func (a *Asking) Query(i int) *upstream.Query {
	if a.Members[i].Server.Transport.Encrypted() {
		return a.encrypted
	}
	return a.plain
}

// Wait returns how the race ends. A reply that cannot be read is none.
func (a *Asking) Wait(ctx context.Context) race.Result {
	res := a.race.Wait(ctx)
	for res.Leg >= 0 && a.read != nil && a.read(res.Msg) != nil {
		a.race.Discard(res.Leg)
		res = a.race.Wait(ctx)
	}
	return res
}

// Linger waits, after Wait, for those who are late.
func (a *Asking) Linger(ctx context.Context) { a.race.Linger(ctx) }

// Legs tells what has become of each leg so far. It may be called from any goroutine,
// but not after End.
func (a *Asking) Legs() []race.LegReport { return a.race.Legs() }

// Begun is when the upstreams were asked.
func (a *Asking) Begun() time.Time { return a.race.Begun() }

// End must be called when nobody waits any more.
func (a *Asking) End() { a.race.End() }
