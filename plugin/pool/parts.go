package pool

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

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
