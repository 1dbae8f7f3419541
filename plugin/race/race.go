// Package race asks many resolvers one question and finds the reply to give. It
// holds the rules; it knows no sockets and no CoreDNS.
//
// A race is won by the first good reply (rule R2). Without one it is over when
// no upstream is left that it should wait for, at the latest when its time is
// up, and the best of the other replies is given (R3, R4). When it is over, who has won
// it, and how long it goes on if nothing happens, is one pure function: see decide.go.
//
// A reply is judged in the goroutine that brings it, from its bytes; the goroutine that
// waits for the race wakes when that makes a difference, not for each reply.
//
// A race is the one place that drives exchanges: it calls Retry of each when that
// wants to be called. What has become of each leg is told by [Race.Legs], at any
// time; who wants to see those that are late lets the race [Race.Linger], or takes their
// replies as they come ([Race.ReportTo]).
package race

import (
	"sync"
	"sync/atomic"
	"time"
)

// Exchange is a leg's query under way at an upstream.
type Exchange interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now time.Time) (next time.Time)
	// Release lets go of the leg, of which nobody waits for anything any more.
	Release()
}

// Asker starts legs.
type Asker interface {
	// AskLeg asks upstream i what the race asks. It also returns when Retry should be
	// called first; zero means never.
	AskLeg(i int, leg *Leg) (Exchange, time.Time)
	// Asked is called when all were that are asked at this moment.
	Asked()
}

// ReplySink takes what legs bring.
type ReplySink interface {
	// TakeReply takes the reply of leg i, what it is worth, how long after it was asked for
	// it came, and whether ReportTo had been called by then. It is called from any
	// goroutine, and must not keep the reply.
	TakeReply(i int, verdict Verdict, reply []byte, took time.Duration, late bool)
}

// Race is one client query over all upstreams.
type Race struct {
	begun time.Time
	clock *Clock
	asker Asker
	wants atomic.Uint32 // a use: what replies are of use for

	// Of the goroutine that waits, since the beginning.
	awake time.Duration // when it last was
	due   time.Duration // when it was to be awake

	mu        sync.Mutex
	state     state
	legs      []Leg         // what legs are beside their state
	sleeper   *sleeper      // nil: nobody waits any more
	lookAt    time.Duration // when the goroutine that waits looks again by itself
	decided   bool          // Wait has returned, and was not told to go on
	lingering bool
	sink      ReplySink // of ReportTo

	few       [3]Leg // what legs are in most races
	fewStates [3]legState
}

type use = uint32

const (
	toWin   use = iota // the race is on
	toLearn            // a sink takes them
	noUse
)

// Begin begins a race of n legs, which a clock wakes: those that the plan puts off are
// started by Wait. The asker starts each leg, with no wait in between (R1). A race begins
// but once.
func (r *Race) Begin(c *Clock, setup Setup, n int, asker Asker) {
	r.begun, r.clock, r.asker, r.sleeper = time.Now(), c, asker, c.sleeper()
	r.state.Setup, r.state.deadline = setup, setup.Timeout
	if n <= len(r.few) {
		r.legs, r.state.legs = r.few[:n], r.fewStates[:n]
	} else {
		r.legs, r.state.legs = make([]Leg, n), make([]legState, n)
	}
	if plan := &setup.Plan; plan.Alone { // R16
		r.state.hedgeEnds = min(plan.Hedge, setup.Timeout/4)
		for i := range r.state.legs {
			if i != plan.First {
				r.state.legs[i].status = unasked
			}
		}
	}
	for i := range r.legs {
		r.legs[i].race, r.legs[i].index = r, i
	}
	for i := range r.legs {
		if !setup.Plan.Alone || i == setup.Plan.First {
			r.ask(i)
		}
	}
	asker.Asked()
}

// ask starts a leg.
func (r *Race) ask(i int) {
	l := &r.legs[i]
	l.exchange, l.due = r.asker.AskLeg(i, l)
}

// Discard takes back the leg's reply, because it cannot be read. The leg counts
// as failed, and the race goes on without it.
func (r *Race) Discard(leg int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wants.Store(toWin)
	r.decided = false
	r.state.legs[leg].status, r.state.legs[leg].err = failed, ErrUnreadable
	for i := range r.state.legs {
		r.state.legs[i].late = false // the race goes on with those that came meanwhile
	}
}

// End says that nobody waits any more. It must be called. Only a sink keeps something of
// the race in memory as long as an upstream is silent, and not what it has collected.
func (r *Race) End() {
	r.mu.Lock()
	if r.sink != nil {
		r.wants.Store(toLearn)
	} else {
		r.wants.Store(noUse)
	}
	if r.sleeper != nil {
		r.clock.release(r.sleeper)
		r.sleeper = nil
	}
	for i := range r.legs {
		r.state.legs[i].msg = nil
		if r.sink != nil || !r.state.legs[i].open() {
			r.legs[i].exchange = nil
		}
	}
	r.asker = nil
	r.mu.Unlock()
	for i := range r.legs {
		if l := &r.legs[i]; l.exchange != nil {
			l.exchange.Release()
			l.exchange = nil
		}
	}
}

// wakeLocked wakes the goroutine that waits.
func (r *Race) wakeLocked() {
	if r.sleeper != nil {
		r.sleeper.wake()
	}
}
