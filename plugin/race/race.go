// Package race asks many resolvers one question and finds the reply to give. It
// holds the rules; it knows no sockets and no CoreDNS.
//
// A race is won by the first good reply (rule R2). Without one it is over when
// no upstream is left that it should wait for, at the latest when its time is
// up, and the best of the other replies is given (R3, R4). A reply is judged in
// the goroutine that brings it, from its bytes; the goroutine that waits for the
// race wakes when it is decided, not for each reply.
//
// Upstreams that are down are asked but not waited for. One exception serves
// the moment when a whole network comes back: while not one upstream has
// spoken and those left are all down, they are waited for until the time is up,
// because there is nothing better to do.
package race

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// overslept is how late a race can wake before the process must have been
// stopped, as that of a paused virtual machine is. Such time does not count: the
// replies of that time are yet to be read.
const overslept = time.Second

// Exchange is a leg's query under way at an upstream.
type Exchange interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now time.Time) (next time.Time)
}

// Race is one client query over all upstreams.
type Race struct {
	policy   Policy
	deadline time.Time
	over     atomic.Bool
	changed  chan struct{} // there is something for the goroutine that waits

	// Of the goroutine that waits.
	timer  *time.Timer // nil: it was not needed yet
	awake  time.Time   // when it last was
	timeUp bool

	mu   sync.Mutex
	legs []Leg
	good *Leg // the first good reply
}

// Leg is one query to one upstream. Its methods are for the upstream to tell
// what became of it.
type Leg struct {
	race     *Race
	exchange Exchange
	due      time.Time // when exchange.Retry should be called; zero means never

	// Guarded by race.mu.
	state   state
	back    bool // it was down and is up again: Retry is due
	verdict Verdict
	msg     []byte
	err     error
}

type state uint8

const (
	asked  state = iota
	down         // not waited for, but a reply is welcome
	failed       // no reply will come
	spoke
)

// Rules are what a race is held by.
type Rules struct {
	Timeout time.Duration // a race's end at the latest
	Policy  Policy
}

// Result is how a race ended.
type Result struct {
	Leg     int     // whose reply is given, by index; -1 if there is none
	Verdict Verdict // of that reply
	Msg     []byte  // that reply

	// Errs says why each leg gave no opinion of the name asked for; it is nil
	// for one that did. It is empty if the reply is good, for then nobody asks.
	Errs []error
}

// Conclusive reports whether every upstream gave its opinion, or one a good
// answer.
func (r Result) Conclusive() bool {
	for _, err := range r.Errs {
		if err != nil {
			return false
		}
	}
	return true
}

// Inconclusive reports whether the reply is a denial, or bogus, and some upstream
// had no word in it.
func (r Result) Inconclusive() bool {
	return (r.Verdict.Negative() || r.Verdict == Bogus) && !r.Conclusive()
}

// What becomes of a leg besides errors of its exchange.
var (
	ErrServFail   = errors.New("SERVFAIL")
	ErrUnable     = errors.New("query not understood")
	ErrSilent     = errors.New("no reply in time")
	ErrDown       = errors.New("no reply in time, and none to others")
	ErrUnreadable = errors.New("reply that cannot be unpacked")
)

// Start begins a race of n legs. It calls ask for each leg to start it, with no
// wait in between (R1); ask also returns when Retry should be called first.
// Retry is called by Wait.
func (rules Rules) Start(n int, ask func(i int, leg *Leg) (Exchange, time.Time)) *Race {
	now := time.Now()
	r := &Race{
		policy:   rules.Policy,
		awake:    now,
		deadline: now.Add(rules.Timeout),
		changed:  make(chan struct{}, 1),
		legs:     make([]Leg, n),
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
		if i, decided := r.decide(); decided {
			return r.result(i)
		}
		r.sleep(ctx)
	}
}

// End says that nobody waits any more. It must be called. An upstream that is silent
// refers to its leg for a while yet, and so to the race, but not to what that has
// collected.
func (r *Race) End() {
	r.over.Store(true)
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.legs {
		r.legs[i].exchange, r.legs[i].msg = nil, nil
	}
}

// sleep returns when something may have changed, or ought to be done.
func (r *Race) sleep(ctx context.Context) {
	now := time.Now()
	r.forgive(now)
	wake := r.retry(now)
	if r.timer == nil {
		r.timer = time.NewTimer(time.Until(wake))
	} else {
		r.timer.Reset(time.Until(wake))
	}
	select {
	case <-r.changed:
		r.awake = time.Now()
	case <-r.timer.C:
		now = time.Now()
		if now.Sub(wake) > overslept {
			r.forgive(now)
		}
		r.awake = now
		r.timeUp = !now.Before(r.deadline)
	case <-ctx.Done():
		r.timeUp = true
	}
}

// forgive adds to the race's time what has passed since the goroutine that waits
// was last awake, if that is so long that the process must have been stopped.
func (r *Race) forgive(now time.Time) {
	if asleep := now.Sub(r.awake); asleep > overslept {
		r.deadline = r.deadline.Add(asleep)
	}
	r.awake = now
}

// retry drives the exchanges that are due and not at their end, and returns when
// it should be called again.
func (r *Race) retry(now time.Time) (wake time.Time) {
	wake = r.deadline
	for i := range r.legs {
		l := &r.legs[i]
		if l.takeBack() {
			l.due = now
		}
		if !l.due.IsZero() && !now.Before(l.due) {
			l.due = time.Time{}
			if l.open() {
				l.due = l.exchange.Retry(now)
			}
		}
		if !l.due.IsZero() && l.due.Before(wake) {
			wake = l.due
		}
	}
	return wake
}

// takeBack reports whether the upstream is back since the last call.
func (l *Leg) takeBack() bool {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	back := l.back
	l.back = false
	return back
}

func (l *Leg) open() bool {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.state < failed
}

// Reply takes the upstream's reply.
func (l *Leg) Reply(msg []byte) {
	if !l.Waiting() {
		return
	}
	verdict := Judge(msg, l.race.policy)
	l.settle(func() {
		l.state, l.msg, l.verdict = spoke, msg, verdict
		if verdict == Good && l.race.good == nil {
			l.race.good = l
		}
	})
}

// Fail says that no reply will come.
func (l *Leg) Fail(err error) {
	l.settle(func() { l.state, l.err = failed, err })
}

// Down says that the upstream does not talk at present.
func (l *Leg) Down() {
	l.settle(func() { l.state = down })
}

// Up says that the upstream talks again, after Down. It is asked once more, so
// that nobody who waited for its return has to wait for the end.
func (l *Leg) Up() {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state == down {
		l.state, l.back = asked, true
		r.wake()
	}
}

// Waiting reports whether a reply is still of use.
func (l *Leg) Waiting() bool { return !l.race.over.Load() }

// settle changes an open leg's state, and wakes the race if that decides it.
func (l *Leg) settle(change func()) {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state >= failed {
		return
	}
	change()
	if r.good != nil || r.complete() {
		r.wake()
	}
}

// wake wakes the goroutine that waits.
func (r *Race) wake() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// complete reports whether nobody is left to be waited for (R4, R5). r.mu is
// held.
func (r *Race) complete() bool {
	anyDown, anySpoke := false, false
	for i := range r.legs {
		switch r.legs[i].state {
		case asked:
			return false
		case down:
			anyDown = true
		case spoke:
			anySpoke = true
		}
	}
	return anySpoke || !anyDown
}

// decide returns whose reply is to be given, or -1 if there is none, and whether
// the race is decided at all.
func (r *Race) decide() (leg int, decided bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.good == nil && !r.timeUp && !r.complete() {
		return -1, false
	}
	best := -1
	for i := range r.legs {
		l := &r.legs[i]
		if l.state == spoke && (l == r.good || best < 0 || l.verdict > r.legs[best].verdict) {
			best = i
		}
	}
	return best, true
}

// Discard takes back the leg's reply, because it cannot be read. The leg counts
// as failed, and the race goes on without it.
func (r *Race) Discard(leg int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.legs[leg].state, r.legs[leg].err = failed, ErrUnreadable
	r.good = nil
	for i := range r.legs {
		if r.legs[i].state == spoke && r.legs[i].verdict == Good {
			r.good = &r.legs[i]
			break
		}
	}
}

// result describes the end of the race, with the reply of leg i or none.
func (r *Race) result(i int) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{Leg: i}
	if i >= 0 {
		res.Verdict, res.Msg = r.legs[i].verdict, r.legs[i].msg
	}
	if res.Verdict == Good {
		return res
	}
	res.Errs = make([]error, len(r.legs))
	for j := range r.legs {
		switch l := &r.legs[j]; {
		case l.state == asked:
			res.Errs[j] = ErrSilent
		case l.state == down:
			res.Errs[j] = ErrDown
		case l.state == failed:
			res.Errs[j] = l.err
		case l.verdict == ServFail:
			res.Errs[j] = ErrServFail
			if why := wire.Why(l.msg); why != "" {
				res.Errs[j] = fmt.Errorf("%w: %s", ErrServFail, why)
			}
		case l.verdict == Error: // it speaks of the query, not of the name
			res.Errs[j] = ErrUnable
		}
	}
	return res
}
