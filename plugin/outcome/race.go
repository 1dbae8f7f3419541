package outcome

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Race is a race that can be watched, and goes on waiting for replies when it is over.
type Race struct {
	cfg     *option.Values
	pool    *pool.Pool
	query   dns.Question
	message []byte

	mu    sync.Mutex
	race  *pool.Race       // nil: it has not begun
	legs  []race.LegReport // when it has ended
	over  *outcome         // of the race; nil: it is not over
	ended bool
}

// New returns a race of p, for a question, that has not begun. The error is that the question
// cannot be asked.
func New(p *pool.Pool, cfg *option.Values, q dns.Question) (*Race, error) {
	msg, err := Message(q)
	return &Race{cfg: cfg, pool: p, query: q, message: msg}, err
}

// NewSigned is New for a question for signatures as well (DO; RFC 3225).
func NewSigned(p *pool.Pool, cfg *option.Values, q dns.Question) (*Race, error) {
	msg, err := message(q, true)
	return &Race{cfg: cfg, pool: p, query: q, message: msg}, err
}

// Message asks as a stub resolver with EDNS does, so that upstreams can say why they fail.
func Message(q dns.Question) ([]byte, error) { return message(q, false) }

func message(q dns.Question, do bool) ([]byte, error) {
	m := new(dns.Msg)
	m.RecursionDesired = true
	m.Question = []dns.Question{q}
	m.SetEdns0(upstream.MaxUDPSize, do)
	return m.Pack()
}

// Ask holds the race and waits until all have replied or failed, the time is up or ctx is
// done. A name that dnsmus answers itself (R14) is asked of nobody.
func (a *Race) Ask(ctx context.Context) api.Outcome {
	if o := a.special(); o != nil {
		a.change(func() { a.over, a.ended = o, true })
		return o.api()
	}
	return a.ask(ctx).api()
}

// Now is what is known by now, and since when the race is held; over says that it is decided, so
// that only late replies are waited for.
func (a *Race) Now() (o api.Outcome, over bool, since time.Duration) {
	now := a.snapshot()
	return now.api(), now.over, now.since
}

// special is the outcome for a name that dnsmus answers itself; nil for all others.
func (a *Race) special() *outcome {
	o := a.outcome()
	o.over, o.ended, o.special, o.conclusive, o.reply = true, true, true, true, new(dns.Msg)
	switch special, _ := a.pool.Special(wire.Question(a.message)); special {
	case pool.NoDataHere:
		o.verdict = race.NoDataSOA
	case pool.NXDomainHere:
		o.verdict, o.reply.Rcode = race.NXDomainSOA, dns.RcodeNameError
	default:
		return nil
	}
	return o
}

func (a *Race) outcome() *outcome {
	return &outcome{cfg: a.cfg, question: a.query, winner: -1, reply: new(dns.Msg)}
}

func (a *Race) ask(ctx context.Context) *outcome {
	q := &query{Query: upstream.Query{Msg: a.message}}
	before := a.kept()
	i := a.pool.Inquire(q)
	defer i.End()
	a.change(func() { a.race = i.Race() })
	res := i.Wait(ctx)
	o := a.decided(res, q.answer(res), time.Since(i.Race().Begun()), ctx.Err() != nil)
	o.kept = a.keptBefore(before)
	a.change(func() { a.over = o })
	i.Linger(ctx)
	a.change(func() { a.legs, a.ended = i.Race().Legs(), true })
	return a.snapshot()
}

// answer is what a client gets.
func (q *query) answer(res *pool.Result) *dns.Msg {
	switch {
	case res.Stale != nil:
		if m, err := unpack(res.Stale.AppendStale(nil)); err == nil {
			return m
		}
	case res.Proven, res.Verdict == race.Untrusted:
		return new(dns.Msg)
	}
	if res.Leg < 0 || res.Verdict == race.Broken || q.reply == nil {
		return &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeServerFailure}}
	}
	return q.reply
}

// query is a [pool.Query], and the reply to it.
type query struct {
	upstream.Query
	reply *dns.Msg
}

func (q *query) Plain() *upstream.Query     { return &q.Query }
func (q *query) Encrypted() *upstream.Query { return &q.Query }
func (q *query) Detached() pool.Query       { return q }

func (q *query) Named(name string, qtype uint16) (pool.Query, error) {
	m := new(dns.Msg)
	if err := m.Unpack(q.Msg); err != nil {
		return nil, err
	}
	m.Question[0].Name, m.Question[0].Qtype = name, qtype
	msg, err := m.Pack()
	return &query{Query: upstream.Query{Msg: msg}}, err
}

func (q *query) Read(reply []byte) error {
	q.reply = new(dns.Msg)
	return q.reply.Unpack(reply)
}

func (a *Race) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// decided is how the race ended. The TTLs are what the server sets; where that depends on answers
// for other types of the name, known has those that it sets while there is one.
func (a *Race) decided(res *pool.Result, reply *dns.Msg, took time.Duration, stopped bool) *outcome {
	var known *dns.Msg
	if res.DeniesType() {
		known = reply.Copy()
		res.Result.MaxTTL(a.cfg.NegativeTTL, true, false).Cut(known)
	}
	if res.Stale == nil {
		res.MaxTTL(a.cfg.NegativeTTL).Cut(reply)
	}
	o := a.outcome()
	o.res = res
	o.over, o.took, o.reply, o.known, o.parts = true, took, reply, known, res.Parts
	o.winner, o.verdict, o.conclusive = res.Leg, res.Verdict, res.Conclusive()
	o.interrupted = stopped && !res.Conclusive()
	o.filtered = a.cfg.Rules.Filtered && race.Filtered(res.Msg, res.Verdict)
	for i, err := range res.Errs {
		var end *pool.EndError
		switch {
		case err == nil:
		case !errors.As(err, &end):
			o.missing = append(o.missing, i)
		default:
			o.missingEnds = append(o.missingEnds, missingEnd(nameOf(res.Members[i]), err))
		}
	}
	return o
}

// snapshot is what is known now.
func (a *Race) snapshot() *outcome {
	a.mu.Lock()
	defer a.mu.Unlock()
	o := a.outcome()
	if a.over != nil {
		*o = *a.over
	}
	o.ended = a.ended
	if o.special {
		return o
	}
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
	o.results = nil
	for i, m := range members {
		res := result{upstream: nameOf(m)}
		if i < len(legs) {
			res.read(legs[i])
		}
		if res.msg == nil && res.err == nil {
			res.err = m.LinkError(a.race != nil && a.race.OverLink())
			res.unasked = res.unasked || res.err != nil
		}
		if o.verdict == race.Good { // then no other reply was waited for
			res.late = false
		}
		o.results = append(o.results, res)
	}
	return o
}
