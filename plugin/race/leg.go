package race

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Leg is one query to one upstream. Its methods are for the upstream to tell
// what became of it.
type Leg struct {
	race     *Race
	exchange Exchange
	due      time.Time // when exchange.Retry should be called; zero means never

	// Guarded by race.mu.
	state        state
	again        bool          // Retry is due
	unresponsive bool          // its upstream never answers questions of this type
	signs        bool          // its upstream is known to do DNSSEC
	worth        time.Duration // how long its reply is waited for by an answer without signature
	signed       bool          // the reply has a signature that was asked for
	stream       bool          // the reply came over a stream
	index        int32
	turn         uint64 // of the last word on whether the upstream is down
	verdict      Verdict
	msg          []byte
	err          error
	at           time.Time // of the reply or the failure
	late         bool      // the race was decided before that
}

type state uint8

const (
	waiting state = iota
	down          // not waited for, but a reply is welcome
	unasked       // it is put off
	failed        // no reply will come
	replied
)

// Signs says whether the upstream is known to do DNSSEC, and how long its reply is worth
// to be waited for where there is an answer without signature (R19); zero: it is not.
func (l *Leg) Signs(known bool, worth time.Duration) {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	l.signs, l.worth = known, worth
}

// Reply takes the upstream's reply, which came at that time, over a stream or over
// UDP. In place of a bogus one, which may be forged, it takes another while the race
// goes on.
func (l *Leg) Reply(msg []byte, at time.Time, stream bool) {
	if !l.Waiting() {
		l.tellLate(msg, at)
		return
	}
	r := l.race
	verdict := Judge(msg, r.rules.Policy)
	signed := r.rules.DNSSEC && wire.Signed(msg)
	filtered := r.rules.Filtered && verdict.Negative() && Filtered(msg)
	r.mu.Lock()
	if l.state >= failed && (l.state == failed || l.verdict != Bogus || r.decided) {
		r.mu.Unlock()
		return
	}
	late := r.hear
	l.state, l.msg, l.verdict, l.signed, l.at, l.stream = replied, msg, verdict, signed, at, stream
	if !r.decided {
		if verdict == Good && (r.good == nil || signed && !r.good.signed) {
			r.good = l
			if !r.watched && !r.rules.DNSSEC && !r.rules.Final && fullyParsed(msg) {
				r.over.Store(true)
			}
		}
		if filtered && r.filter == nil {
			r.filter = l
		}
	}
	l.settledLocked()
	asked := r.askedAt(int(l.index))
	r.mu.Unlock()
	if late != nil {
		late.HearLeg(int(l.index), verdict, msg, at.Sub(asked), true)
	}
}

// Fail says that no reply will come.
func (l *Leg) Fail(err error) {
	l.settle(func() { l.state, l.err, l.at = failed, err, time.Now() })
}

// Health says that the upstream does not talk at present, or talks again: its
// turn-th change. What is not newer than another word before it is of no interest.
func (l *Leg) Health(isDown bool, turn uint64) {
	l.settle(func() {
		if turn <= l.turn || l.unresponsive {
			return
		}
		l.turn = turn
		l.state = waiting
		if isDown {
			l.state = down
		}
	})
}

// Unresponsive says that the upstream never answers questions of this type: it is not
// waited for (R5).
func (l *Leg) Unresponsive() {
	l.settle(func() { l.state, l.unresponsive = down, true })
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

// settle changes an open leg's state.
func (l *Leg) settle(change func()) {
	r := l.race
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.state >= failed {
		return
	}
	change()
	l.settledLocked()
}

// settledLocked wakes the race if what became of the leg decides it, or if somebody
// listens to all.
func (l *Leg) settledLocked() {
	r := l.race
	l.late = l.state >= failed && r.decided
	if r.later != nil {
		r.noteFirstLocked()
	}
	if r.lingering || r.overLocked() || r.idleLocked() || !r.owesLocked().IsZero() {
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

// fullyParsed reports whether a reply is well-formed beyond doubt: nobody will have to discard it.
func fullyParsed(msg []byte) bool {
	_, whole := wire.WellFormed(msg)
	return whole
}
