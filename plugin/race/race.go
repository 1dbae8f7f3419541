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
	"sync"
	"sync/atomic"
	"time"
)

// Exchange is a leg's query under way at an upstream.
type Exchange interface {
	// Retry does what is due at now, such as sending a lost packet again, and
	// returns when it should be called next; zero means never.
	Retry(now time.Time) (next time.Time)
}

// race is one client query over all upstreams.
type race struct {
	policy  Policy
	over    atomic.Bool
	changed chan struct{} // the race may be decided

	mu   sync.Mutex
	legs []Leg
	good *Leg // the first good reply
}

// Leg is one query to one upstream. Its methods are for the upstream to tell
// what became of it.
type Leg struct {
	race     *race
	exchange Exchange
	due      time.Time // when exchange.Retry should be called; zero means never

	// Guarded by race.mu.
	state   state
	msg     []byte
	verdict Verdict
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

// Inconclusive reports whether the reply is a denial that some upstream had no
// word in.
func (r Result) Inconclusive() bool { return r.Verdict.Negative() && !r.Conclusive() }

// What becomes of a leg besides errors of its exchange.
var (
	ErrServFail   = errors.New("SERVFAIL")
	ErrSilent     = errors.New("no reply in time")
	ErrDown       = errors.New("no reply in time, and none to others")
	ErrUnreadable = errors.New("reply that cannot be unpacked")
)

// Run holds a race of n legs and returns when it is over, at the latest after
// the timeout or when ctx is done. It calls ask for each leg to start it, with
// no wait in between (R1); ask also returns when Retry should be called first.
// It passes the reply to be given to accept, which reports whether it can be
// read; if not, the leg counts as failed and the race goes on. Both are called
// in Run's goroutine.
func (rules Rules) Run(ctx context.Context, n int, ask func(i int, leg *Leg) (Exchange, time.Time), accept func(i int, msg []byte) bool) Result {
	r := &race{policy: rules.Policy, legs: make([]Leg, n), changed: make(chan struct{}, 1)}
	defer r.over.Store(true)
	deadline := time.Now().Add(rules.Timeout)
	for i := range r.legs {
		l := &r.legs[i]
		l.race = r
		l.exchange, l.due = ask(i, l)
	}
	var timer *time.Timer
	for timeUp := false; ; {
		for {
			i, msg, decided := r.decide(timeUp)
			if !decided {
				break
			}
			if i < 0 || accept(i, msg) {
				return r.result(i)
			}
			r.discard(i)
		}
		wait := time.Until(r.retry(time.Now(), deadline))
		if timer == nil {
			timer = time.NewTimer(wait)
			defer timer.Stop()
		} else {
			timer.Reset(wait)
		}
		select {
		case <-r.changed:
		case <-timer.C:
			timeUp = !time.Now().Before(deadline)
		case <-ctx.Done():
			timeUp = true
		}
	}
}

// retry drives the exchanges that are due and not at their end, and returns when
// it should be called again.
func (r *race) retry(now, deadline time.Time) (wake time.Time) {
	wake = deadline
	for i := range r.legs {
		l := &r.legs[i]
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

func (l *Leg) open() bool {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.state < failed
}

// Reply takes the upstream's reply.
func (l *Leg) Reply(msg []byte) {
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
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// complete reports whether nobody is left to be waited for (R4, R5). r.mu is
// held.
func (r *race) complete() bool {
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

// decide returns the reply to be given and whose it is, or -1 if there is none,
// and whether the race is decided at all.
func (r *race) decide(timeUp bool) (leg int, msg []byte, decided bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	best := -1
	for i := range r.legs {
		l := &r.legs[i]
		if l.state == spoke && (l == r.good || best < 0 || l.verdict > r.legs[best].verdict) {
			best = i
		}
	}
	if r.good == nil && !timeUp && !r.complete() {
		return -1, nil, false
	}
	if best < 0 {
		return -1, nil, true
	}
	return best, r.legs[best].msg, true
}

// discard takes back a reply that cannot be read.
func (r *race) discard(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.legs[i].state, r.legs[i].err = failed, ErrUnreadable
	r.good = nil
	for i := range r.legs {
		if r.legs[i].state == spoke && r.legs[i].verdict == Good {
			r.good = &r.legs[i]
			break
		}
	}
}

// result describes the end of the race, with the reply of leg i or none.
func (r *race) result(i int) Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := Result{Leg: i}
	if i >= 0 {
		res.Verdict = r.legs[i].verdict
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
		}
	}
	return res
}
