// Package race asks many resolvers one question and finds the reply to give. It
// knows neither sockets nor CoreDNS.
//
// A race is won by the first good reply (rule R2). Without one it is over when there is
// no upstream left to wait for, or when its time is up, and the best of the other
// replies is given (R3, R4). Whether it is over, who has won, and when that would change
// if nothing happens, is one pure function, in decide.go.
//
// A reply is judged from its bytes, in the goroutine that read it. The goroutine that
// waits for the race wakes only if the reply makes a difference.
//
// A race also calls Retry of each exchange when it is due. [Race.Legs] returns the state
// of each leg at any time. To see late replies, [Race.Linger] waits for them, and
// [Race.ReportTo] hands them on as they come.
package race

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Exchange is a leg's query under way at an upstream.
type Exchange interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now instant.Time) (next instant.Time)
	// Release says that the leg needs nothing more from the exchange.
	Release()
}

// Asker starts legs.
type Asker interface {
	// AskLeg asks upstream i what the race asks. It also returns when Retry should be
	// called first; zero means never.
	AskLeg(i int, leg *Leg) (Exchange, instant.Time)
	// Follow asks for the end of the alias that leg i replied with, in the background, if it is to be
	// asked for, and reports that. What comes of it is handed to leg.Followed, which may be
	// called before Follow returns. It is called by the goroutine that waits.
	Follow(i int, leg *Leg, reply []byte) bool
	// Asked is called after the last AskLeg of those that are called at one time.
	Asked()
	// More returns how many upstreams have come that are to be asked too: the numbers of
	// their legs follow the others'. It is called after [Race.Changed], and before a race
	// ends without a good reply, by the goroutine that waits.
	More() int
}

// ReplySink takes replies.
type ReplySink interface {
	// TakeReply takes the reply of leg i, its verdict, the time that it took, and whether
	// it came after the call of ReportTo. It is called from any goroutine, and must not
	// keep the reply.
	TakeReply(i int, verdict Verdict, reply []byte, took time.Duration, late bool)
}

// Race is one client query over all upstreams.
type Race struct {
	start time.Time
	begun instant.Time // the same
	clock *Clock
	asker Asker
	wants atomic.Uint32 // a use: what replies are needed for
	upset atomic.Bool   // Changed was called, and the asker was not asked for more since

	// Of the goroutine that waits; times since the race began.
	awake time.Duration // when it last woke
	due   time.Duration // when it was to wake

	mu        sync.Mutex
	state     state
	legs      []*Leg        // how they are driven; what became of them is in state
	sleeper   *sleeper      // nil after End
	lookAt    time.Duration // when the goroutine that waits decides again by itself
	decided   bool          // Wait has returned, and Discard was not called since
	lingering bool
	corrects  bool      // its sink takes old replies too
	news      uint32    // how often Learned was called
	sink      ReplySink // of ReportTo

	few       [3]Leg // enough for most races
	fewLegs   [3]*Leg
	fewStates [3]legState
}

type use = uint32

const (
	toWin     use = iota // the race is on
	toLearn              // it is over, but a sink takes them
	toCorrect            // likewise, however late they come
	noUse
)

// Setup is how the race is run. It may be changed until Begin.
func (r *Race) Setup() *Setup { return &r.state.Setup }

// Begin begins a race of n legs. The asker starts them, with no wait in between (R1); Wait
// starts those that the plan puts off. The clock wakes the race. It is called once.
func (r *Race) Begin(c *Clock, n int, asker Asker) {
	r.start = time.Now()
	r.begun, r.clock, r.asker = instant.Of(r.start), c, asker
	setup := &r.state.Setup
	r.state.deadline = setup.Timeout
	legs := r.few[:]
	if n <= len(r.few) {
		r.legs, r.state.legs = r.fewLegs[:n], r.fewStates[:n]
	} else {
		legs, r.legs, r.state.legs = make([]Leg, n), make([]*Leg, n), make([]legState, n)
	}
	if plan := &setup.Plan; plan.Alone { // R16
		r.state.hedgeEnds = min(plan.Hedge, setup.Timeout/4)
		for i := range r.state.legs {
			if !plan.atOnce(i) {
				r.state.legs[i].status = unasked
			}
		}
	}
	for i := range r.legs {
		r.legs[i] = &legs[i]
		r.legs[i].race, r.legs[i].index = r, uint16(i)
	}
	r.mu.Lock() // for Changed
	r.sleeper = c.sleeper()
	r.mu.Unlock()
	for i := range r.legs {
		if setup.Plan.atOnce(i) {
			r.ask(i)
		}
	}
	asker.Asked()
}

// ask starts a leg.
func (r *Race) ask(i int) {
	l := r.legs[i]
	l.exchange, l.due = r.asker.AskLeg(i, l)
}

// Discard undoes the leg's reply, because it cannot be unpacked. The leg counts as failed,
// and the race goes on without it.
func (r *Race) Discard(leg int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.legs[leg].status, r.state.legs[leg].err = failed, ErrUnreadable
	r.goOnLocked()
}

// goOnLocked has a race that was decided go on, with the replies that came meanwhile.
func (r *Race) goOnLocked() {
	r.wants.Store(toWin)
	r.decided = false
	for i := range r.state.legs {
		r.state.legs[i].late = false
	}
}

// Changed says that there may be more upstreams to be asked. It may be called from any
// goroutine and at any time, also before Begin.
func (r *Race) Changed() {
	r.upset.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeLocked()
}

// End ends the race. It must be called. With a sink the race stays in memory until each
// upstream has replied or failed, but not its replies.
func (r *Race) End() {
	r.mu.Lock()
	switch {
	case r.sink == nil:
		r.wants.Store(noUse)
	case r.corrects:
		r.wants.Store(toCorrect)
	default:
		r.wants.Store(toLearn)
	}
	if r.sleeper != nil {
		r.clock.release(r.sleeper)
		r.sleeper = nil
	}
	for i := range r.legs {
		r.state.legs[i].msg, r.state.legs[i].said = nil, nil
		if r.sink != nil || !r.state.legs[i].open() {
			r.legs[i].exchange = nil
		}
	}
	r.asker = nil
	r.mu.Unlock()
	for i := range r.legs {
		if l := r.legs[i]; l.exchange != nil {
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
