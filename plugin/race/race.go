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
// Where the client asks for signatures, a good answer without any is held for a moment
// while an upstream is about to reply that is known to sign, and of equal replies a
// signed one is given (R19).
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
	Timeout  time.Duration // a race's end at the latest
	Policy   Policy
	Filtered bool // a denial that says it is a filter's ends the race

	// Of one race.
	DNSSEC bool // the client asks for signatures (DO), so of equal replies a signed one is given (R19)
	Final  bool // a denial is the reply, at once, and a good answer waits for all who are up (R14)
}

// Exchange is a leg's query under way at an upstream.
type Exchange interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now time.Time) (next time.Time)
	// Release lets go of the leg, of which nobody waits for anything any more.
	Release()
}

// Race is one client query over all upstreams.
type Race struct {
	rules    Rules
	begun    time.Time
	deadline time.Time
	over     atomic.Bool
	listened atomic.Bool // Listen was called
	clock    *Clock
	watched  bool // somebody looks at all legs

	// Of the goroutine that waits.
	awake   time.Time // when it last was
	slept   bool
	timeUp  bool
	release time.Time // until when the good reply is held; zero: it is not
	later   *later    // nil: all are asked at once
	choice  *Choice   // nil: there is none

	mu        sync.Mutex
	sleeper   *sleeper // nil: nobody waits any more
	legs      []Leg
	few       [3]Leg // what legs are in most races
	good      *Leg   // the first good reply; with DNSSEC, the first signed one if there is any
	filter    *Leg   // the first denial of a filter, which ends the race
	decided   bool   // Wait has returned, and was not told to go on
	lingering bool
	hear      Hearer // of Listen
}

// Start begins a race of n legs, with a timer of its own. It calls ask for each leg to start
// it; ask also returns when Retry should be called first. Retry is called by Wait. Its legs
// are watched.
func (rules Rules) Start(n int, ask func(i int, leg *Leg) (Exchange, time.Time)) *Race {
	return rules.Begin(Plan{}, n, askFunc(ask))
}

// Begin is Start by a plan: the legs that it puts off are started by Wait.
func (rules Rules) Begin(plan Plan, n int, asker Asker) *Race {
	return (*Clock)(nil).Begin(rules, plan, n, true, asker)
}

// Begin begins a race of n legs by these rules and the plan: the legs that it puts off are
// started by Wait. The asker starts each leg, with no wait in between (R1). If nobody
// watches the legs, those that have not replied when the race is surely won are not listened
// to any more.
func (c *Clock) Begin(rules Rules, plan Plan, n int, watched bool, asker Asker) *Race {
	now := time.Now()
	r := &Race{
		rules:    rules,
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
		r.legs[i].race, r.legs[i].index = r, int32(i)
	}
	if plan.Alone {
		r.putOff(plan, min(plan.Hedge, rules.Timeout/4), asker)
	}
	for i := range r.legs {
		if r.legs[i].state != unasked {
			r.ask(i, asker)
		}
	}
	asker.Asked()
	return r
}

// ask starts a leg.
func (r *Race) ask(i int, asker Asker) {
	l := &r.legs[i]
	l.exchange, l.due = asker.AskLeg(i, l)
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

// End says that nobody waits any more. It must be called. Only who listens keeps
// something of the race in memory as long as an upstream is silent, and not what it has collected.
func (r *Race) End() {
	r.over.Store(true)
	r.mu.Lock()
	if r.sleeper != nil {
		r.clock.release(r.sleeper)
		r.sleeper = nil
	}
	for i := range r.legs {
		l := &r.legs[i]
		l.msg = nil
		if l.state >= failed || r.hear != nil {
			l.exchange = nil
		}
	}
	if r.later != nil {
		r.later.asker = nil
	}
	r.mu.Unlock()
	for i := range r.legs {
		if l := &r.legs[i]; l.exchange != nil {
			l.exchange.Release()
			l.exchange = nil
		}
	}
}

// sleep returns when something may have changed, or ought to be done.
func (r *Race) sleep(ctx context.Context) {
	now := time.Now()
	r.notePause(now)
	if r.later.pending() {
		r.askOthers(now)
	}
	wake, called := r.retry(now)
	if !r.release.IsZero() && r.release.Before(wake) {
		wake = r.release
	}
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
	r.timeUp = !now.Before(r.deadline) && !r.later.pending()
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
	if r.later != nil {
		wake = earliest(wake, r.later.due, r.owesUntil())
	}
	if r.choice != nil {
		wake = earliest(wake, r.graceEnds())
	}
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

// earliest is the first of those times that are not zero.
func earliest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
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
		case unasked:
			return r.finalLocked()
		case down:
			anyDown = true
		case replied:
			anyReplied = true
		}
	}
	if anyDown && r.later != nil && time.Now().Before(r.owesLocked()) {
		return false
	}
	return anyReplied || !anyDown
}

// overLocked reports whether the race is over, but for a good reply that is held.
func (r *Race) overLocked() bool {
	switch {
	case r.rules.Final:
		return r.deniedLocked() || r.completeLocked()
	case r.good != nil || r.filter != nil:
		return true
	}
	return r.completeLocked()
}

// deniedLocked reports whether an upstream denies the name or the type.
func (r *Race) deniedLocked() bool {
	for i := range r.legs {
		if r.legs[i].state == replied && r.legs[i].verdict.Negative() {
			return true
		}
	}
	return false
}

// heldLocked is until when the good reply is held (R19), or zero: it has no signature, and
// an upstream that is known to sign, unlike its own, has not spoken yet.
func (r *Race) heldLocked() (until time.Time) {
	if !r.rules.DNSSEC || r.good == nil || r.good.signed || r.good.signs {
		return until
	}
	for i := range r.legs {
		l := &r.legs[i]
		if end := r.good.at.Add(l.worth); l.state == waiting && l.worth > 0 && end.After(until) {
			until = end
		}
	}
	return until
}

// rankLocked is what a leg's reply is worth in this race: the greatest is given, and of
// equals the first of the list.
func (r *Race) rankLocked(l *Leg) int {
	rank := 4 * int(l.verdict)
	switch {
	case l == r.good:
		rank += 2
	case l.signed:
		rank++
	}
	if r.rules.Final && l.verdict.Negative() {
		rank += 4 * int(Good+1)
	}
	return rank
}

// decide reports whether the race is decided, and how.
func (r *Race) decide() (res Result, decided bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.release = time.Time{}
	if !r.timeUp && !r.overLocked() {
		return res, false
	}
	if r.good != nil && r.choice != nil {
		best, held := r.choiceLocked(time.Now())
		if held {
			return res, false
		}
		r.decided = true
		return r.resultLocked(best), true
	}
	if held := r.heldLocked(); !r.timeUp && !held.IsZero() && time.Now().Before(held) {
		r.release = held
		return res, false
	}
	best := -1
	for i := range r.legs {
		if r.legs[i].state == replied && (best < 0 || r.rankLocked(&r.legs[i]) > r.rankLocked(&r.legs[best])) {
			best = i
		}
	}
	if r.good == nil && r.filter != nil {
		best = int(r.filter.index)
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
	if r.filter == &r.legs[leg] {
		r.filter = nil
	}
	for i := range r.legs {
		r.legs[i].late = false // the race goes on with those that came meanwhile
	}
	for i := range r.legs {
		if l := &r.legs[i]; l.state == replied && l.verdict == Good && (r.good == nil || l.signed && !r.good.signed) {
			r.good = l
		}
	}
}
