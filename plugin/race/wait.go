package race

import (
	"context"
	"math"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// pausedFor is how late a race may wake. If it is later, the process was stopped, for
// example with its virtual machine. That time does not count, for replies that came
// meanwhile are not read yet.
const pausedFor = time.Second

// Forever is longer than any race takes.
const Forever time.Duration = math.MaxInt64

// Wait returns when the race is over, at the latest after the timeout or when
// ctx is done. If the reply cannot be unpacked, [Race.Discard] it and wait again.
func (r *Race) Wait(ctx context.Context) Result {
	var res Result
	r.WaitUntil(ctx, Forever, &res)
	return res
}

// WaitUntil is Wait, but no longer than that after the race's beginning: it reports whether
// the race is over, and if it is sets the result. If not, it may be waited for again, also by
// another goroutine.
func (r *Race) WaitUntil(ctx context.Context, until time.Duration, res *Result) (over bool) {
	for {
		now := r.wake()
		switch d := r.look(now, res); {
		case d.over && d.sure:
			return true
		case (d.over || r.upset.Swap(false)) && r.askMore(now):
		case d.over:
			return true
		case d.follow:
			r.follow()
		case d.ask:
			r.askOthers(now, d.some)
		case d.look:
			r.lookAtTypes()
		case now >= until:
			return false
		default:
			r.sleep(ctx, now, min(d.again, until))
		}
	}
}

// look decides whether the race is over, and if it is sets the result.
func (r *Race) look(now time.Duration, res *Result) decision {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := decide(&r.state, now)
	r.lookAt = d.again
	if d.over {
		r.decided = true
		*res = r.state.result(d)
	}
	return d
}

// askOthers asks the legs that were put off, or some: those that NODATA waits for (R4). They
// get the whole timeout, as they would have had without the plan.
func (r *Race) askOthers(now time.Duration, some bool) {
	var buf [16]int
	others := buf[:0]
	r.mu.Lock()
	s := &r.state
	s.deadline += now - s.putOffUntil
	s.putOffUntil = now
	noData := s.typeDenied()
	for i := range s.legs {
		if l := &s.legs[i]; l.status == unasked && (!some || noData < 0 || s.typeWait(noData, i) >= 0) {
			l.status, l.asked = waiting, now
			others = append(others, i)
		}
	}
	r.mu.Unlock()
	for _, i := range others {
		r.ask(i)
	}
	r.asker.Asked()
}

// follow has the ends of aliases asked for.
func (r *Race) follow() {
	var buf [16]int
	aliases := buf[:0]
	r.mu.Lock()
	for i := range r.state.legs {
		if l := &r.state.legs[i]; l.status == aliased {
			l.status, l.said = following, &said{l.msg, l.verdict, l.at}
			aliases = append(aliases, i)
		}
	}
	r.mu.Unlock()
	for _, i := range aliases {
		if !r.asker.Follow(i, r.legs[i], r.state.legs[i].said.msg) { // which changes no more
			r.legs[i].Followed(nil, None, nil)
		}
	}
}

// askMore asks the upstreams that have come since the race began, for they may know better
// than those that deny the name; when there is no time left, they count as not asked (R7). It
// reports whether there are any.
func (r *Race) askMore(now time.Duration) bool {
	more := r.asker.More()
	if more == 0 {
		return false
	}
	first := len(r.legs)
	r.mu.Lock()
	s := &r.state
	state := legState{asked: now}
	tooLate := s.cancelled || now >= s.deadline
	if tooLate {
		state.status, state.at, state.err = failed, now, ErrUnasked
	}
	for i := range more {
		r.legs = append(r.legs, &Leg{race: r, index: uint16(first + i)})
		s.legs = append(s.legs, state)
	}
	r.goOnLocked()
	r.mu.Unlock()
	if tooLate {
		return true
	}
	for i := range more {
		r.ask(first + i)
	}
	r.asker.Asked()
	return true
}

// Linger waits, after Wait, for the legs that have not replied yet, until the timeout or
// until ctx is done. They do not change the result.
func (r *Race) Linger(ctx context.Context) {
	for {
		now := r.wake()
		until := r.lingerUntil()
		if now >= until {
			return
		}
		r.sleep(ctx, now, until)
	}
}

// lingerUntil is how long Linger waits; 0: no reply can come.
func (r *Race) lingerUntil() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lingering = true
	for i := range r.state.legs {
		if r.state.legs[i].open() && !r.state.cancelled {
			return r.state.deadline
		}
	}
	return 0
}

// wake returns the time since the race began. If the goroutine wakes much too late, it moves
// the deadline by the time since it last woke.
func (r *Race) wake() time.Duration {
	now := instant.Since(r.begun)
	if now-r.due > pausedFor {
		r.mu.Lock()
		r.state.deadline += now - r.awake
		r.mu.Unlock()
	}
	r.awake, r.due = now, now
	return now
}

// sleep calls the exchanges that are due, and returns when there may be something to do,
// at the latest at that time.
func (r *Race) sleep(ctx context.Context, now, until time.Duration) {
	at := r.begun.Add(now)
	wake, called := r.retry(at, r.begun.Add(until))
	if called { // which may have taken long
		at = instant.Now()
	}
	r.due = wake.Sub(r.begun)
	r.clock.set(r.sleeper, at, wake)
	if r.sleeper.wait(ctx) {
		r.mu.Lock()
		r.state.cancelled = true
		r.mu.Unlock()
	}
}

// retry calls the exchanges that are due. It returns when it should be called again, at the
// latest at until, and whether it called any.
func (r *Race) retry(now, until instant.Time) (wake instant.Time, called bool) {
	for _, l := range r.legs {
		if l.dueBy(now) {
			l.due, called = l.exchange.Retry(now), true
		}
		if !l.due.IsZero() && l.due.Before(until) {
			until = l.due
		}
	}
	return until, called
}
