package pool

import (
	"slices"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

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
			res.Errs[at] = &EndError{nameOf([]byte(e.name)), err}
		}
	}
}

// EndError is why an upstream gave no opinion of the name that an alias leads to.
type EndError struct {
	Name string
	Err  error
}

func (e *EndError) Error() string { return e.Name + ": " + e.Err.Error() }
func (e *EndError) Unwrap() error { return e.Err }

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

// hasStaleEnd reports whether what the reply's alias leads to is what was kept of it.
func (r *Race) hasStaleEnd() bool {
	return r.given != nil && r.given.res != nil && r.given.res.Stale != nil
}
