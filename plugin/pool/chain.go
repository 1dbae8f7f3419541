package pool

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Follow implements race.Asker: the name that an alias leads to is asked for as if a client
// had done that, so it shares races, knowledge and the upstreams of links with others. Left
// as they are aliases for clients that check signatures, and those of excepted names.
func (r *Race) Follow(i int, leg *race.Leg, reply []byte) bool {
	var buf [255]byte
	to := wire.FollowAliases(reply, buf[:0], nil)
	if to.Answered || to.Followed == 0 || checksSignatures(r.plain.Msg) {
		return false
	}
	if to.Endless {
		leg.Followed(nil, race.None, race.ErrEndless)
		return true
	}
	name, _, err := dns.UnpackDomainName(to.End, 0)
	if err != nil || r.pool.excepted(name) {
		return false
	}
	q, err := r.query.Named(name, wire.QuestionType(wire.Question(r.plain.Msg)))
	if err != nil {
		return false
	}
	a := alias{leg, i, r.Members[i], reply}
	cs := &r.pool.calls
	cs.mu.Lock()
	at := slices.IndexFunc(r.ends, func(e *end) bool { return e.name == string(to.End) })
	if at >= 0 {
		e := r.ends[at]
		e.aliases = append(e.aliases, a)
		done := e.done
		cs.mu.Unlock()
		if done {
			e.give(a)
		}
		return true
	}
	e := &end{name: string(to.End), aliases: []alias{a}}
	r.ends = append(r.ends, e)
	cs.mu.Unlock()
	r.askEnd(e, q)
	return true
}

// excepted reports whether a name is in a zone of the option except.
func (p *Pool) excepted(name string) bool {
	return slices.ContainsFunc(p.cfg.Except, func(zone string) bool { return dns.IsSubDomain(zone, name) })
}

// askEnd asks for the name of an end, in the background.
func (r *Race) askEnd(e *end, q Query) {
	p, question := r.pool, wire.Question(q.Plain().Msg)
	if denial, verdict := p.Denial(question); denial != nil {
		e.res = &Result{Result: race.Result{Leg: -1, Verdict: verdict}}
		e.res.Msg, e.err = denial.Pack()
		e.finish(r)
		return
	}
	key := keyOf(q.Plain())
	c, key, first, err := p.calls.joinEnd(r, e.name, key, question)
	if err != nil {
		e.err = err
		e.finish(r)
		return
	}
	go func() {
		defer func() {
			if recover() != nil { // of a library that reads what an upstream says
				e.err = race.ErrEndUnknown
			}
			e.finish(r)
		}()
		if !first {
			if e.res = c.outcome(); !c.cut(e.res, r.asksFor) {
				return
			}
			if c, key, first, e.err = p.calls.rejoinEnd(r, e.name, key, question); e.err != nil {
				return
			}
		}
		if first {
			e.res = p.run(c, key, q, nil)
		} else {
			e.res = c.outcome()
		}
	}()
}

// finish gives what was found to all whose alias leads there.
func (e *end) finish(r *Race) {
	cs := &r.pool.calls
	cs.mu.Lock()
	e.done = true
	all := slices.Clone(e.aliases)
	cs.mu.Unlock()
	for _, a := range all {
		e.give(a)
	}
}

// give gives a leg its own alias with what it leads to.
func (e *end) give(a alias) {
	if e.err != nil {
		a.leg.Followed(nil, race.None, e.err)
		return
	}
	verdict := e.res.Verdict
	switch {
	case e.res.Stale != nil:
	case verdict == race.NXDomain, verdict == race.NXDomainSOA:
		verdict = race.NXDomainChain
	case verdict.Negative(), verdict.IsBogus(), verdict == race.Truncated, verdict.Wins():
	default:
		a.leg.Followed(nil, race.None, e.why())
		return
	}
	found := e.res.Msg
	if e.res.Stale != nil {
		verdict, found = e.res.Stale.Verdict, e.res.Stale.AppendStale(nil)
	}
	msg, err := joined(a.reply, found, e.res.givenBy(a.giver), e.res.Stale != nil)
	if err != nil {
		a.leg.Followed(nil, race.None, err)
		return
	}
	a.leg.Followed(msg, verdict, nil)
}

// why is why nothing is known of an end that was asked for.
func (e *end) why() error {
	if slices.ContainsFunc(e.res.Errs, isEndless) {
		return race.ErrEndless
	}
	return race.ErrEndUnknown
}
