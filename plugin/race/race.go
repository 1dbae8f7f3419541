// Package race asks many resolvers one question and finds the reply to give. It
// holds the rules; it knows no sockets and no CoreDNS.
//
// A race is won by the first good reply (rule R2). Without one it is over when
// no upstream is left that it should wait for, at the latest when its time is
// up, and the best of the other replies is given (R3, R4). A reply is judged in
// the goroutine that brings it, from its bytes; the goroutine that waits for the
// race wakes when it is decided, not for each reply.
//
// Upstreams that are down are asked but not waited for (R5). One exception serves
// the moment when a whole network comes back: while not one upstream has
// spoken and those left are all down, they are waited for until the time is up,
// because there is nothing better to do.
//
// A race is the one place that drives exchanges: it calls Retry of each when that
// wants to be called. What has become of each leg is told by [Race.Legs], at any
// time; whoever wants to hear those that are late lets the race [Race.Linger].
package race

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// pausedFor is how late a race can wake before the process must have been
// stopped, as that of a paused virtual machine is. Such time does not count: the
// replies of that time are yet to be read.
const pausedFor = time.Second

// Rules are what a race is held by.
type Rules struct {
	Timeout time.Duration // a race's end at the latest
	Policy  Policy
}

// Retrier is a leg's query under way at an upstream.
type Retrier interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now time.Time) (next time.Time)
}

// Race is one client query over all upstreams.
type Race struct {
	policy   Policy
	begun    time.Time
	deadline time.Time
	over     atomic.Bool
	clock    *Clock
	watched  bool // somebody looks at all legs

	// Of the goroutine that waits.
	awake  time.Time // when it last was
	slept  bool
	timeUp bool

	mu        sync.Mutex
	sleeper   *sleeper // nil: nobody waits any more
	legs      []Leg
	few       [3]Leg // what legs are in most races
	good      *Leg   // the first good reply
	decided   bool   // Wait has returned, and was not told to go on
	lingering bool
}

// Start begins a race of n legs as [Clock.Start] does, with a timer of its own. Its legs are
// watched.
func (rules Rules) Start(n int, ask func(i int, leg *Leg) (Retrier, time.Time)) *Race {
	return (*Clock)(nil).Start(rules, n, true, ask)
}

// Start begins a race of n legs by these rules. It calls ask for each leg to start it, with
// no wait in between (R1); ask also returns when Retry should be called first. Retry is
// called by Wait. If nobody watches the legs, those that have not replied when the race is
// surely won are not listened to any more.
func (c *Clock) Start(rules Rules, n int, watched bool, ask func(i int, leg *Leg) (Retrier, time.Time)) *Race {
	now := time.Now()
	r := &Race{
		policy:   rules.Policy,
		begun:    now,
		awake:    now,
		deadline: now.Add(rules.Timeout),
		clock:    c,
		watched:  watched,
		sleeper:  c.sleeper(),
	}
	if n <= len(r.few) {
		r.legs = r.few[:n]
	} else {
		r.legs = make([]Leg, n)
	}
	for i := range r.legs {
		l := &r.legs[i]
		l.race = r
		l.exchange, l.due = ask(i, l)
	}
	return r
}

// Wait returns when the race is over, at the latest after the timeout or when
// ctx is done. If the reply turns out to be of no use, [Race.Discard] it and
// wait again.
func (r *Race) Wait(ctx context.Context) Result {
	for {
		if res, decided := r.decide(); decided {
			return res
		}
		r.sleep(ctx)
	}
}

// Linger waits, after Wait, for the legs of which nothing has come yet, until the
// timeout or until ctx is done. They change the result no more.
func (r *Race) Linger(ctx context.Context) {
	for r.open() && !r.timeUp {
		r.sleep(ctx)
	}
}

// open reports whether something may yet come of a leg.
func (r *Race) open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lingering = true
	for i := range r.legs {
		if r.legs[i].state < failed {
			return true
		}
	}
	return false
}

// End says that nobody waits any more. It must be called. An upstream that is silent
// refers to its leg for a while yet, and so to the race, but not to what that has
// collected.
func (r *Race) End() {
	r.over.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sleeper != nil {
		r.clock.release(r.sleeper)
		r.sleeper = nil
	}
	for i := range r.legs {
		r.legs[i].exchange, r.legs[i].msg = nil, nil
	}
}

// sleep returns when something may have changed, or ought to be done.
func (r *Race) sleep(ctx context.Context) {
	now := time.Now()
	r.notePause(now)
	wake, called := r.retry(now)
	if called { // which may have taken long
		now = time.Now()
	}
	r.slept = true
	r.clock.set(r.sleeper, now, wake)
	if done := ctx.Done(); done == nil {
		<-r.sleeper.woken
	} else {
		select {
		case <-r.sleeper.woken:
		case <-done:
			r.timeUp = true
			return
		}
	}
	now = time.Now()
	if now.Sub(wake) > pausedFor {
		r.notePause(now)
	}
	r.awake = now
	r.timeUp = !now.Before(r.deadline)
}

// notePause adds to the race's time what has passed since the goroutine that waits
// was last awake, if that is so long that the process must have been stopped.
func (r *Race) notePause(now time.Time) {
	if asleep := now.Sub(r.awake); asleep > pausedFor {
		r.deadline = r.deadline.Add(asleep)
	}
	r.awake = now
}

// retry drives the exchanges that are due and not at their end, and returns when
// it should be called again, and whether it called any.
func (r *Race) retry(now time.Time) (wake time.Time, called bool) {
	wake = r.deadline
	for i := range r.legs {
		l := &r.legs[i]
		if r.slept && l.takeAgain() { // who called Again has woken the race too
			l.due = now
		}
		if !l.due.IsZero() && !now.Before(l.due) {
			l.due = time.Time{}
			if l.open() {
				l.due, called = l.exchange.Retry(now), true
			}
		}
		if !l.due.IsZero() && l.due.Before(wake) {
			wake = l.due
		}
	}
	return wake, called
}

// wakeLocked wakes the goroutine that waits.
func (r *Race) wakeLocked() {
	if r.sleeper != nil {
		r.sleeper.wake()
	}
}

// completeLocked reports whether nobody is left to be waited for (R4, R5).
func (r *Race) completeLocked() bool {
	anyDown, anyReplied := false, false
	for i := range r.legs {
		switch r.legs[i].state {
		case waiting:
			return false
		case down:
			anyDown = true
		case replied:
			anyReplied = true
		}
	}
	return anyReplied || !anyDown
}

// decide reports whether the race is decided, and how.
func (r *Race) decide() (res Result, decided bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.good == nil && !r.timeUp && !r.completeLocked() {
		return res, false
	}
	best := -1
	for i := range r.legs {
		l := &r.legs[i]
		if l.state == replied && (l == r.good || best < 0 || l.verdict > r.legs[best].verdict) {
			best = i
		}
	}
	r.decided = true
	return r.resultLocked(best), true
}

// Discard takes back the leg's reply, because it cannot be read. The leg counts
// as failed, and the race goes on without it.
func (r *Race) Discard(leg int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over.Store(false)
	r.legs[leg].state, r.legs[leg].err = failed, ErrUnreadable
	r.good, r.decided = nil, false
	for i := range r.legs {
		r.legs[i].late = false // the race goes on with those that came meanwhile
	}
	for i := range r.legs {
		if r.legs[i].state == replied && r.legs[i].verdict == Good {
			r.good = &r.legs[i]
			break
		}
	}
}
