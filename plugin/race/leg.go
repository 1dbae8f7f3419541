package race

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Leg is one query to one upstream. Its methods are for the upstream to tell
// what became of it.
type Leg struct {
	race     *Race
	exchange Retrier
	due      time.Time // when exchange.Retry should be called; zero means never

	// Guarded by race.mu.
	state   state
	again   bool   // Retry is due
	deaf    bool   // its upstream never answers questions of this type
	stream  bool   // the reply came over a stream
	turn    uint64 // of the last word on whether the upstream is down
	verdict Verdict
	msg     []byte
	err     error
	at      time.Time // of the reply or the failure
	late    bool      // the race was decided before that
}

type state uint8

const (
	waiting state = iota
	down          // not waited for, but a reply is welcome
	failed        // no reply will come
	replied
)

// Reply takes the upstream's reply, which came at that time, over a stream or over
// UDP.
func (l *Leg) Reply(msg []byte, at time.Time, stream bool) {
	if !l.Waiting() {
		return
	}
	verdict := Judge(msg, l.race.policy)
	l.settle(func() {
		l.state, l.msg, l.verdict, l.at, l.stream = replied, msg, verdict, at, stream
		if verdict == Good && l.race.good == nil && !l.race.decided {
			l.race.good = l
			if _, whole := wire.WellFormed(msg); whole && !l.race.watched { // nobody will have to discard it
				l.race.over.Store(true)
			}
		}
	})
}

// Fail says that no reply will come.
func (l *Leg) Fail(err error) {
	l.settle(func() { l.state, l.err, l.at = failed, err, time.Now() })
}

// Presence says that the upstream does not talk at present, or talks again: its
// turn-th change. What is not newer than another word before it is of no interest.
func (l *Leg) Presence(isDown bool, turn uint64) {
	l.settle(func() {
		if turn <= l.turn || l.deaf {
			return
		}
		l.turn = turn
		l.state = waiting
		if isDown {
			l.state = down
		}
	})
}

// Deaf says that the upstream never answers questions of this type: it is not waited
// for (R5).
func (l *Leg) Deaf() {
	l.settle(func() { l.state, l.deaf = down, true })
}

// Again says that the exchange has something to do at once.
func (l *Leg) Again() {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state < failed {
		l.again = true
		r.wakeLocked()
	}
}

// Waiting reports whether a reply is still of use.
func (l *Leg) Waiting() bool { return !l.race.over.Load() }

// settle changes an open leg's state, and wakes the race if that decides it, or if
// somebody listens to all.
func (l *Leg) settle(change func()) {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state >= failed {
		return
	}
	change()
	l.late = l.state >= failed && r.decided
	if r.good != nil || r.lingering || r.completeLocked() {
		r.wakeLocked()
	}
}

// takeAgain reports whether Again was called since the last call.
func (l *Leg) takeAgain() (again bool) {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	again, l.again = l.again, false
	return again
}

// open reports whether something may yet come of the leg.
func (l *Leg) open() bool {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.state < failed
}
