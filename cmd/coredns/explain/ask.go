package explain

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// liveRace is a race that can be watched, and goes on waiting for replies when it is over.
type liveRace struct {
	cfg  *config
	pool *pool.Pool

	mu    sync.Mutex
	race  *pool.Race       // nil: it has not begun
	legs  []race.LegReport // when it has ended
	over  *outcome         // of the race; nil: it is not over
	ended bool
}

func newLiveRace(cfg *config, servers []server.Server) *liveRace {
	a := &liveRace{cfg: cfg}
	a.pool = pool.New(pool.Config{Values: cfg.Values})
	a.pool.Replace(servers)
	return a
}

// special is the outcome for a name that the server answers itself (R14), so that no
// upstream is asked here either; nil for all others.
func (a *liveRace) special() *outcome {
	o := &outcome{cfg: a.cfg, over: true, ended: true, special: true, winner: -1, conclusive: true, reply: new(dns.Msg)}
	switch special, _ := a.pool.Special(wire.Question(a.cfg.message)); special {
	case pool.NoDataHere:
		o.verdict = race.NoDataSOA
	case pool.NXDomainHere:
		o.verdict, o.reply.Rcode = race.NXDomainSOA, dns.RcodeNameError
	default:
		return nil
	}
	return o
}

// ask holds the race and waits until all have replied or failed, the time is up or ctx is
// done.
func (a *liveRace) ask(ctx context.Context) *outcome {
	defer a.pool.Close()
	q := &query{Query: upstream.Query{Msg: a.cfg.message}}
	r := a.pool.Start(q)
	defer r.End()
	a.change(func() { a.race = r })
	res := r.Wait(ctx)
	switch {
	case res.Verdict == race.Untrusted:
		q.reply = new(dns.Msg)
	case res.Leg < 0, res.Verdict == race.Broken:
		q.reply = &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeServerFailure}}
	}
	out := &pool.Result{Result: res, Members: r.Members}
	out.Errs = slices.Clone(res.Errs)
	r.AddEnds(out)
	o := a.decided(out, res.Errs, q.reply, time.Since(r.Begun()), ctx.Err() != nil)
	a.change(func() { a.over = o })
	r.Linger(ctx)
	a.change(func() { a.legs, a.ended = r.Legs(), true })
	return a.snapshot()
}

// query is a [pool.Query], and the reply to it.
type query struct {
	upstream.Query
	reply *dns.Msg
}

func (q *query) Plain() *upstream.Query     { return &q.Query }
func (q *query) Encrypted() *upstream.Query { return &q.Query }
func (q *query) Detached() pool.Query       { return q }

func (q *query) Named(name string) (pool.Query, error) {
	m := new(dns.Msg)
	if err := m.Unpack(q.Msg); err != nil {
		return nil, err
	}
	m.Question[0].Name = name
	msg, err := m.Pack()
	return &query{Query: upstream.Query{Msg: msg}}, err
}

func (q *query) Read(reply []byte) error {
	q.reply = new(dns.Msg)
	return q.reply.Unpack(reply)
}

func (a *liveRace) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// decided is how the race ended; errs are those of its legs, res has those of the end of an
// alias too. The TTLs are what the server would set that knows no answer for another type.
func (a *liveRace) decided(res *pool.Result, errs []error, reply *dns.Msg, took time.Duration, stopped bool) *outcome {
	var known *dns.Msg
	if res.DeniesType() {
		known = reply.Copy()
		res.Result.MaxTTL(a.cfg.NegativeTTL, true, false).Cut(known)
	}
	res.Result.MaxTTL(a.cfg.NegativeTTL, false, false).Cut(reply)
	o := &outcome{
		cfg: a.cfg, over: true, took: took, reply: reply, known: known, parts: res.Parts,
		winner: res.Leg, verdict: res.Verdict, conclusive: res.Conclusive(),
		interrupted: stopped && !res.Conclusive(),
		filtered:    a.cfg.Rules.Filtered && race.Filtered(res.Msg, res.Verdict),
	}
	for i, err := range res.Errs {
		switch {
		case err == nil:
		case i < len(errs) && err == errs[i]:
			o.missing = append(o.missing, i)
		default:
			o.missingEnds = append(o.missingEnds, jsonMissing{res.Members[i].String(), printable.Text(err.Error())})
		}
	}
	return o
}

// snapshot is what is known now.
func (a *liveRace) snapshot() *outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := &outcome{cfg: a.cfg, winner: -1}
	if a.over != nil {
		*o = *a.over
	}
	o.ended = a.ended
	legs := a.legs
	if a.race != nil {
		o.since = time.Since(a.race.Begun())
		if !a.ended {
			legs = a.race.Legs()
		}
	}
	members := a.pool.Members()
	if a.race != nil {
		members = a.race.Members
	}
	for i, m := range members {
		res := result{server: m.Server}
		if i < len(legs) {
			res.read(legs[i])
		}
		if res.msg == nil && res.err == nil {
			res.err = m.LinkError(a.race != nil && a.race.OverLink())
		}
		if o.verdict == race.Good { // then no other reply was waited for
			res.late = false
		}
		o.results = append(o.results, res)
	}
	return o
}
