package race

import (
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Leg is one query to one upstream. Its methods are for the upstream to tell
// what became of it.
type Leg struct {
	race     *Race
	index    int
	exchange Exchange
	due      time.Time   // when exchange.Retry should be called; zero means never
	again    atomic.Bool // it is due at once
	turn     uint64      // of the last word on whether the upstream is down; guarded by race.mu, as is the leg's state
}

// Signs says whether the upstream is known to do DNSSEC, and how long its reply is worth
// to be waited for where there is an answer without signature (R19); zero: it is not.
func (l *Leg) Signs(known bool, wait time.Duration) {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	s := l.stateLocked()
	s.signs, s.signWait = known, wait
}

// Reply takes the upstream's reply, which came at that time, over a stream or over
// UDP. In place of a bogus one, which may be forged, it takes another while the race
// goes on.
func (l *Leg) Reply(msg []byte, at time.Time, stream bool) {
	if !l.Waiting() {
		l.reportLate(msg, at)
		return
	}
	r := l.race
	got := r.state.judge(msg)
	got.at, got.stream = at.Sub(r.begun), stream
	r.mu.Lock()
	s := l.stateLocked()
	if s.status == failed || s.status == replied && (s.verdict != Bogus || r.decided) {
		r.mu.Unlock()
		return
	}
	got.signs, got.signWait = s.signs, s.signWait
	*s = got
	if won := l.settledLocked(got.at); won && r.surelyWon(got.verdict, msg) {
		r.wants.Store(noUse)
	}
	sink, asked := r.sink, r.state.askedAt(l.index)
	r.mu.Unlock()
	if sink != nil {
		sink.TakeReply(l.index, got.verdict, msg, got.at-asked, true)
	}
}

// judge is what a reply makes of a leg.
func (s *state) judge(msg []byte) legState {
	l := legState{status: replied, msg: msg, verdict: Judge(msg, s.Policy)}
	l.signed = s.DNSSEC && wire.Signed(msg)
	l.filtered = s.Filtered && l.verdict.Negative() && Filtered(msg)
	if s.Prefer != nil && s.Prefer.Private && l.verdict == Good {
		l.private, l.addressed = Privacy(msg)
	}
	return l
}

// Fail says that no reply will come.
func (l *Leg) Fail(err error) {
	l.settle(func(s *legState, now time.Duration) { s.status, s.at, s.err = failed, now, err })
}

// Health says that the upstream does not reply at present, or does again: its
// turn-th change. What is not newer than another word before it is of no interest.
func (l *Leg) Health(isDown bool, turn uint64) {
	l.settle(func(s *legState, _ time.Duration) {
		if turn <= l.turn || s.unresponsive {
			return
		}
		l.turn = turn
		s.status = waiting
		if isDown {
			s.status = down
		}
	})
}

// Unresponsive says that the upstream never answers questions of this type: it is not
// waited for (R5).
func (l *Leg) Unresponsive() {
	l.settle(func(s *legState, _ time.Duration) { s.status, s.unresponsive = down, true })
}

// Again says that the exchange has something to do at once.
func (l *Leg) Again() {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.stateLocked().open() {
		l.again.Store(true)
		r.wakeLocked()
	}
}

// Waiting reports whether a reply may still win.
func (l *Leg) Waiting() bool { return l.race.wants.Load() == toWin }

// TakesLate reports whether a reply is of interest though nobody waits for it.
func (l *Leg) TakesLate() bool { return l.race.wants.Load() == toLearn }

// reportLate reports a reply that nobody waits for.
func (l *Leg) reportLate(msg []byte, at time.Time) {
	if !l.TakesLate() {
		return
	}
	r := l.race
	r.mu.Lock()
	sink, asked := r.sink, r.state.askedAt(l.index)
	r.mu.Unlock()
	sink.TakeReply(l.index, Judge(msg, r.state.Policy), msg, at.Sub(r.begun)-asked, true)
}

func (l *Leg) stateLocked() *legState { return &l.race.state.legs[l.index] }

// settle changes an open leg's state.
func (l *Leg) settle(change func(s *legState, now time.Duration)) {
	now := time.Since(l.race.begun)
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	if s := l.stateLocked(); s.open() {
		change(s, now)
		l.settledLocked(now)
	}
}

// settledLocked wakes the race if what became of the leg makes a difference: it is over, or
// has something to do before it would look by itself. It reports whether the race is over
// with the leg as winner.
func (l *Leg) settledLocked(now time.Duration) (won bool) {
	r := l.race
	if r.decided {
		s := l.stateLocked()
		s.late = !s.open()
		if r.lingering {
			r.wakeLocked()
		}
		return false
	}
	s := &r.state
	if plan := &s.Plan; plan.Alone && !s.firstIdle && s.legs[plan.First].status != waiting {
		s.firstDone, s.firstIdle = now, true
	}
	d := decide(s, now)
	if d.over || d.ask || d.again < r.lookAt {
		r.wakeLocked()
	}
	return d.over && d.winner == l.index
}

// dueBy reports whether the exchange is to be called at now. Until it says otherwise, it
// is not to be called again.
func (l *Leg) dueBy(now time.Time) bool {
	if l.again.Load() {
		l.again.Store(false)
		l.due = now
	}
	if l.due.IsZero() || now.Before(l.due) {
		return false
	}
	l.due = time.Time{}
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.stateLocked().open()
}

// surelyWon reports whether a reply that has won stays the winner: nothing better may come
// before the race is looked at, and it is well-formed beyond doubt, so that nobody has to
// discard it.
func (r *Race) surelyWon(verdict Verdict, msg []byte) bool {
	if s := &r.state; verdict != Good || s.Watched || s.DNSSEC || s.Final {
		return false
	}
	_, whole := wire.WellFormed(msg)
	return whole
}
