package pool

import (
	"errors"
	"fmt"
	"slices"

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

func isEndless(err error) bool { return errors.Is(err, race.ErrEndless) }
