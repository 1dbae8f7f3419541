package race

import (
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Leg is one query to one upstream. It takes what the upstream reports.
type Leg struct {
	race     *Race
	exchange Exchange
	due      instant.Time // when exchange.Retry should be called; zero means never
	turn     uint64       // of the last report on its health; guarded by race.mu, as is the leg's state
	again    atomic.Bool  // it is due at once
	index    uint16
	public   bool // its upstream may give no private addresses
}

// Signs says whether the upstream is known to do DNSSEC, and how long an answer without
// signature should wait for its reply (R19); 0: not at all.
func (l *Leg) Signs(known bool, wait time.Duration) {
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	s := l.stateLocked()
	s.signs, s.signWait = known, wait
}

// NoPrivate says that the upstream may give no private addresses. It is called before the
// leg's exchange begins.
func (l *Leg) NoPrivate() { l.public = true }

// Reply takes the upstream's reply, which came at that time, over a stream or over
// UDP. It replaces a bogus one, which may be forged, while the race goes on.
func (l *Leg) Reply(msg []byte, at instant.Time, stream bool) {
	if !l.Waiting() {
		l.reportLate(msg, at)
		return
	}
	r := l.race
	reply, now := l.judge(msg, stream), at.Sub(r.begun)
	r.mu.Lock()
	s := l.stateLocked()
	if s.status > unasked && (s.status != replied || !s.verdict.IsBogus() || s.said != nil || r.decided) {
		r.mu.Unlock()
		return
	}
	s.status, s.at, s.judged, s.err = replied, now, reply, nil
	if reply.alias {
		s.status = aliased
	}
	if won := l.settledLocked(now); won && r.staysWinner(reply) {
		r.wants.Store(noUse)
	}
	sink, asked := r.sink, s.asked
	r.mu.Unlock()
	if sink != nil {
		sink.TakeReply(int(l.index), reply.verdict, msg, now-asked, true)
	}
}

// Followed takes what has come of a leg's alias: the reply with the name that it leads to, and
// the verdict on that. An error says why there is none; without a reply and an error the
// alias stays as it is.
func (l *Leg) Followed(msg []byte, verdict Verdict, err error) {
	r := l.race
	now := instant.Since(r.begun)
	r.mu.Lock()
	defer r.mu.Unlock()
	s := l.stateLocked()
	if s.status != following || r.wants.Load() != toWin || r.state.overdue(now) {
		return
	}
	switch {
	case err != nil:
		s.verdict, s.err = Broken, err
	case msg != nil:
		if verdict == Good { // to other upstreams; this one has its own say
			verdict = l.verdict(msg)
		}
		s.judged = r.state.weigh(msg, verdict, s.stream)
	default:
		s.said = nil
	}
	s.status, s.at = replied, now
	l.settledLocked(now)
}

// judge finds out what a reply is, as far as that is of interest in this race.
func (l *Leg) judge(msg []byte, stream bool) judged {
	s := &l.race.state
	j := s.weigh(msg, l.verdict(msg), stream)
	if s.Answers && j.verdict == Alias {
		j.verdict = NoData
	}
	if s.Aliases && !s.DNSSEC && !j.filtered {
		j.alias = j.verdict == Alias || !s.Final && j.verdict.mayBeAlias() && wire.Header(msg).Answers() > 0
	}
	return j
}

// weigh is judge of a reply with that verdict.
func (s *state) weigh(msg []byte, verdict Verdict, stream bool) judged {
	j := judged{msg: msg, verdict: verdict, stream: stream}
	j.signed = s.DNSSEC && wire.Signed(msg)
	j.filtered = s.Filtered && Filtered(msg, j.verdict)
	if s.Prefer != nil && s.Prefer.Private && j.verdict == Good {
		j.private, j.addressed = Privacy(msg)
	}
	return j
}

func (l *Leg) verdict(msg []byte) Verdict {
	policy := l.race.state.Policy
	policy.NoPrivate = l.public
	return Judge(msg, policy)
}

// Fail says that no reply will come.
func (l *Leg) Fail(err error) {
	l.settle(func(s *legState, now time.Duration) { s.status, s.at, s.err = failed, now, err })
}

// Health says that the upstream is down, or up again: its turn-th change. A report that is
// older than one before is ignored.
func (l *Leg) Health(isDown bool, turn uint64) {
	l.settle(func(s *legState, _ time.Duration) {
		if turn <= l.turn || s.unresponsive() {
			return
		}
		l.turn = turn
		s.status, s.doubtful = waiting, false
		if isDown {
			s.status = down
		}
	})
}

// Doubtful says that the upstream is down, but may reply: only denials wait for it (R5).
func (l *Leg) Doubtful() {
	l.settle(func(s *legState, _ time.Duration) { s.doubtful = true })
}

// Unresponsive says that the upstream never answers questions of this type, or for this name
// or its zone: it is not waited for (R5).
func (l *Leg) Unresponsive(forName bool) {
	why := ErrUnresponsive
	if forName {
		why = ErrUnresponsiveIn
	}
	l.settle(func(s *legState, _ time.Duration) { s.status, s.err = down, why })
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

// TakesLate reports whether a sink takes replies that come after the end of the race, also old
// ones.
func (l *Leg) TakesLate(old bool) bool {
	wants := l.race.wants.Load()
	return wants == toCorrect || wants == toLearn && !old
}

// reportLate hands such a reply to the sink.
func (l *Leg) reportLate(msg []byte, at instant.Time) {
	if !l.TakesLate(false) {
		return
	}
	r := l.race
	r.mu.Lock()
	sink, asked := r.sink, l.stateLocked().asked
	r.mu.Unlock()
	sink.TakeReply(int(l.index), l.verdict(msg), msg, at.Sub(r.begun)-asked, true)
}

func (l *Leg) stateLocked() *legState { return &l.race.state.legs[l.index] }

// settle changes an open leg's state.
func (l *Leg) settle(change func(s *legState, now time.Duration)) {
	now := instant.Since(l.race.begun)
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	if s := l.stateLocked(); s.open() {
		change(s, now)
		l.settledLocked(now)
	}
}

// settledLocked wakes the race if the leg's new state makes a difference: the race is over,
// or has to decide again earlier than planned. It reports whether the leg has won.
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
	if plan := &s.Plan; plan.Alone && !s.firstIdle && !s.legs[plan.First].pending() {
		s.firstDone, s.firstIdle = now, true
	}
	d := decide(s, now)
	if d.over || d.ask || d.follow || d.look || d.again < r.lookAt {
		r.wakeLocked()
	}
	return d.over && d.winner == int(l.index)
}

// dueBy reports whether Retry should be called at now, and clears the time for that.
func (l *Leg) dueBy(now instant.Time) bool {
	if l.again.Load() {
		l.again.Store(false)
		l.due = now
	}
	if l.due.IsZero() || now.Before(l.due) {
		return false
	}
	l.due = instant.Never
	l.race.mu.Lock()
	defer l.race.mu.Unlock()
	return l.stateLocked().open()
}

// staysWinner reports whether the reply of the winner will be given: nothing better can come
// before the race decides, and it can certainly be unpacked, so that nobody discards it.
func (r *Race) staysWinner(reply judged) bool {
	if s := &r.state; reply.verdict != Good || s.Watched || s.DNSSEC || s.Final {
		return false
	}
	_, whole := wire.WellFormed(reply.msg)
	return whole
}
