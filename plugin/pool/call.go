package pool

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Result is the end of a race. It is shared by all that asked the same while it
// was on, and must not be changed.
type Result struct {
	race.Result
	Members []*Member     // by leg
	Took    time.Duration // the race

	// Proven says that nobody's reply is to be given, but NODATA without SOA: the name was
	// denied, and is proven to exist (R18).
	Proven bool
	// Away says that nobody's reply is to be given, but SERVFAIL: the only upstream that
	// knows the zone is away, and Errs says why (R18).
	Away bool

	Plan    race.Plan
	Unasked int // upstreams that were not asked
}

// calls are the races under way, by what is asked. Package singleflight would
// do, but its frames would lie below those of every race: goroutines that serve
// a query begin with a small stack, and growing it costs more than a race's own
// work. The zero value has none.
type calls struct {
	mu       sync.Mutex
	underway map[string]*call
}

// call is a race that more than one client may wait for.
type call struct {
	done sync.WaitGroup
	Result
	race Race
	set  *set

	question []byte // as in [wire.Question]; nil: nothing is learned about its zone
	winner   int    // whose good answer is given; -1: nobody's
}

// join returns the call with that key and set of upstreams, and whether it is a
// new one. Whoever is first must finish it; everybody else waits for that. A race
// of a set that was replaced goes on for those who wait, and takes in no others.
func (cs *calls) join(key string, now *set) (c *call, first bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if c, ok := cs.underway[key]; ok && c.set == now {
		return c, false
	}
	c = &call{set: now}
	c.Members, c.race.Members = now.members, now.members
	c.Leg = -1 // should the race end in a panic
	c.done.Add(1)
	if cs.underway == nil {
		cs.underway = make(map[string]*call)
	}
	cs.underway[key] = c
	return c, true
}

// finish says that the result is known.
func (cs *calls) finish(key string, c *call) {
	cs.mu.Lock()
	if cs.underway[key] == c {
		delete(cs.underway, key)
	}
	cs.mu.Unlock()
	c.done.Done()
}
