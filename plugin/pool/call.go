package pool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// calls are the races under way, by query. Package singleflight would put its frames below
// those of every race: goroutines that serve a query begin with a small stack, and
// growing it costs more than the race itself. The zero value has no calls.
type calls struct {
	mu       sync.Mutex
	underway map[string]*call
}

// call is a race that more than one client may wait for.
type call struct {
	done sync.WaitGroup
	Result
	race  Race
	pool  *Pool
	set   *set  // that the race began with
	older *call // of the same key, over a set that was replaced

	keeping *keeping
	clients atomic.Int32 // that wait for it, or did
	asked   atomic.Bool  // for a client, not only as the end of an alias
	shows   bool         // it was begun to learn whether the name of another exists

	late  *lateReplies // nil: nobody wants to know of them
	early *Result      // what clients get while the race goes on; nil: they wait for its end
	sole  atomic.Int32 // the upstream, and one more, whose good reply is the only one; -1: there are several, 0: none

	// Guarded by calls.mu.
	known   bool          // all that the race has shown is learned, though the call is not over
	viewing bool          // it waits for what comes of other types of its name
	learned chan struct{} // closed when it is known; nil: nobody waits for that

	question []byte // as in [wire.Question]; nil: its zone is not learned
	winner   int    // the leg whose good answer is given; -1: none
	besideAs string // its name among those beside which another type may be answered; empty: it is none
}

// join returns the call with that key, for a question to the pool's upstreams, and whether it
// is new. Who gets a new one must finish it; all others wait for that. A race over a set that
// was replaced goes on for those that wait, and is joined by no others.
func (cs *calls) join(key string, p *Pool, question []byte) (c *call, first bool) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.joinLocked(key, p, question)
}

func (cs *calls) joinLocked(key string, p *Pool, question []byte) (c *call, first bool) {
	keeping := p.keeping()
	now := p.set.Load().route(question) // with the lock, so that changed reaches the call if that is replaced
	older := cs.underway[key]
	if older != nil && older.set == now {
		return older, false
	}
	c = &call{pool: p, set: now, older: older, keeping: keeping}
	c.Members, c.race.Members, c.race.pool, c.race.set = now.members, now.members, p, now
	c.Leg = -1 // should the race end in a panic
	c.done.Add(1)
	if cs.underway == nil {
		cs.underway = make(map[string]*call)
	}
	cs.underway[key] = c
	return c, true
}

// outcome waits for a call, and returns what clients get.
func (c *call) outcome() *Result {
	c.done.Wait()
	if c.early != nil {
		return c.early
	}
	return &c.Result
}

// goesOn ends the waiting for a call whose race goes on: clients get what was kept.
func (c *call) goesOn() *Result {
	c.early = &Result{Result: race.Result{Leg: -1}, Members: c.race.Members, Took: time.Since(c.race.Begun()), Stale: c.keeping.old}
	c.done.Done()
	return c.early
}

// finish ends the waiting for a call.
func (cs *calls) finish(key string, c *call) {
	cs.mu.Lock()
	switch newest := cs.underway[key]; {
	case newest != c:
		for newest.older != c {
			newest = newest.older
		}
		newest.older = c.older
	case c.older != nil:
		cs.underway[key] = c.older
	default:
		delete(cs.underway, key)
	}
	c.learnedLocked()
	c.race.waits = nil
	if asked := c.race.asksFor; asked != nil && asked.of == &c.race {
		asked.over = true
	}
	cs.mu.Unlock()
	if c.early == nil {
		c.done.Done()
	}
}

// during returns what is closed when the race with that key, over the same upstreams, has
// shown what it shows; nil: there is none under way.
func (cs *calls) during(key string, of *set) <-chan struct{} {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c := cs.underway[key]
	if c == nil || c.set != of || c.known {
		return nil
	}
	if c.learned == nil {
		c.learned = make(chan struct{})
	}
	return c.learned
}

// learned says that all that a call's race has shown is learned, though the call goes on.
func (cs *calls) learned(c *call) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c.learnedLocked()
}

func (c *call) learnedLocked() {
	if !c.known && c.learned != nil {
		close(c.learned)
	}
	c.known = true
}

// changed tells all races under way that the upstreams in use have changed.
func (cs *calls) changed() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.underway {
		for ; c != nil; c = c.older {
			c.race.race.Changed()
		}
	}
}
