package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxEnds is how many names one client's query may have asked for besides its own (R23).
const maxEnds = 8

// ends are the names that one client's query has led to. Guarded by calls.mu.
type ends struct {
	of    *Race            // the client's own
	name  string           // that it asks for, in wire format and lower case
	calls map[string]*call // by name, likewise
	over  bool             // the client has its reply, so nothing more is asked for
}

// end is a name that replies of a race are aliases of. It is asked for once.
type end struct {
	name    string // as in ends
	aliases []alias
	done    bool
	res     *Result // when it is done
	err     error   // instead of that
}

// alias is a reply that leads to an end.
type alias struct {
	leg   *race.Leg
	index int
	giver *Member
	reply []byte
}

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
	q, err := r.query.Named(name)
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

func isEndless(err error) bool { return errors.Is(err, race.ErrEndless) }

// joinEnd is join for the end of an alias that a reply of race r has. It also returns the key
// of the call. A race never waits for itself, not even by way of others: where a client's own
// names lead back there is no end, and what others ask for is then not shared with them.
func (cs *calls) joinEnd(r *Race, name, key string, question []byte) (c *call, _ string, first bool, err error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if r.asksFor == nil {
		r.asksFor = &ends{of: r, name: string(wire.AppendName(nil, wire.Question(r.plain.Msg))), calls: make(map[string]*call)}
	}
	own := r.asksFor
	c = own.calls[name]
	switch {
	case name == own.name, c != nil && c.race.waitsFor(r, nil), c == nil && (own.over || len(own.calls) == maxEnds):
		return nil, "", false, race.ErrEndless
	case c == nil:
		if c, first = cs.joinLocked(key, r.pool, question); !first && c.race.waitsFor(r, nil) {
			key += fmt.Sprintf("%p", own)
			c, first = cs.joinLocked(key, r.pool, question)
		}
		if own.calls[name] = c; first {
			c.race.asksFor = own
		}
	}
	r.waits = append(r.waits, c)
	return c, key, first, nil
}

// rejoinEnd is joinEnd once more, after a call that was cut.
func (cs *calls) rejoinEnd(r *Race, name, key string, question []byte) (c *call, _ string, first bool, err error) {
	cs.mu.Lock()
	delete(r.asksFor.calls, name)
	cs.mu.Unlock()
	return cs.joinEnd(r, name, key, question)
}

// waitsFor reports whether a race is or waits for another one. The lock of calls must be held.
func (r *Race) waitsFor(other *Race, seen map[*Race]bool) bool {
	if r == other {
		return true
	}
	if len(r.waits) == 0 || seen[r] {
		return false
	}
	if seen == nil {
		seen = make(map[*Race]bool)
	}
	seen[r] = true
	return slices.ContainsFunc(r.waits, func(c *call) bool { return c.race.waitsFor(other, seen) })
}

// cut reports whether a call had that outcome because of what a client's query had led to
// before, which is another's than that of who waited for the call as well.
func (c *call) cut(res *Result, of *ends) bool {
	by := c.race.asksFor
	return res.Verdict == race.Broken && by != nil && by.of != &c.race && by != of && slices.ContainsFunc(res.Errs, isEndless)
}

// Part is a part of a reply that is the alias of another one.
type Part struct {
	Name  string  // that was asked for
	Giver *Member // whose reply to that it is; nil: one of our own (R14)
}

// givenBy reports whether all of the reply is that of one upstream.
func (r *Result) givenBy(m *Member) bool {
	for _, p := range r.Parts {
		if p.Giver != m {
			return false
		}
	}
	return r.giver() == m
}

// AddEnds completes the result of a race by what came of the end that the alias leads to
// which the reply begins with: who gave which part, and who gave no opinion of the end.
func (r *Race) AddEnds(res *Result) {
	e := r.endOf(res.Leg)
	r.given = e
	if res.Verdict == race.Broken { // then there is no reply to give
		res.Leg, res.Msg = -1, nil
	}
	if e == nil || e.err != nil {
		return
	}
	if res.Leg >= 0 {
		res.Parts = []Part{{nameOf(wire.Question(r.plain.Msg)), res.Members[res.Leg]}}
		if len(e.res.Parts) > 0 {
			res.Parts = append(res.Parts, e.res.Parts...)
		} else {
			res.Parts = append(res.Parts, Part{nameOf([]byte(e.name)), e.res.giver()})
		}
	}
	if len(res.Errs) == 0 || e.res.Conclusive() {
		return
	}
	for _, a := range e.aliases { // more is known than that nothing is
		if res.Errs[a.index] == race.ErrEndUnknown {
			res.Errs[a.index] = nil
		}
	}
	for i, err := range e.res.Errs {
		if err == nil {
			continue
		}
		at := slices.Index(res.Members, e.res.Members[i])
		if at < 0 {
			at = len(res.Errs)
			res.Members, res.Errs = slices.Concat(res.Members[:at], e.res.Members[i:i+1]), append(res.Errs, nil)
		}
		if res.Errs[at] == nil {
			res.Errs[at] = fmt.Errorf("%s: %w", nameOf([]byte(e.name)), err)
		}
	}
}

// endOf is the end that a leg's alias leads to, if something has come of it.
func (r *Race) endOf(leg int) *end {
	if len(r.ends) == 0 { // or one that the goroutine which waits has not made
		return nil
	}
	r.pool.calls.mu.Lock()
	defer r.pool.calls.mu.Unlock()
	for _, e := range r.ends {
		if e.done && slices.ContainsFunc(e.aliases, func(a alias) bool { return a.index == leg }) {
			return e
		}
	}
	return nil
}

// giver is the upstream whose reply is given; nil: there is none.
func (r *Result) giver() *Member {
	switch {
	case r.Stale != nil && len(r.Stale.Givers) > 0:
		return r.Stale.Givers[0]
	case r.Leg < 0:
		return nil
	}
	return r.Members[r.Leg]
}

// Givers are the upstreams whose reply is given, in the order of its parts.
func (r *Result) Givers() (all []*Member) {
	if len(r.Parts) == 0 {
		return r.Members[r.Leg : r.Leg+1 : r.Leg+1]
	}
	for _, p := range r.Parts {
		if p.Giver != nil && !slices.Contains(all, p.Giver) {
			all = append(all, p.Giver)
		}
	}
	return all
}

// hasStaleEnd reports whether what the reply's alias leads to is what was kept of it.
func (r *Race) hasStaleEnd() bool {
	return r.given != nil && r.given.res != nil && r.given.res.Stale != nil
}

// Names are upstreams as they are written, with commas in between.
func Names(members []*Member) string {
	if len(members) == 1 {
		return members[0].String()
	}
	var names []string
	for _, m := range members {
		names = append(names, m.String())
	}
	return strings.Join(names, ",")
}

// nameOf is a name that a question begins with, as people write it.
func nameOf(question []byte) string {
	name, _, _ := dns.UnpackDomainName(question, 0)
	return name
}
