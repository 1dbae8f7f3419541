package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// socket is an upstream's part of a port, with the exchanges that wait on it. It is the
// [ports.Owner] of that part.
type socket struct {
	u *Upstream
	*ports.Socket

	// Guarded by u.mu.
	pending   ports.Table[Exchange]
	sent      time.Time            // when it was last sent on
	ids       [1 << 16 / 64]uint64 // those that were used on it, as bits
	questions map[uint64]int       // how many exchanges are pending by what they ask; nil: nobody wanted to know yet
}

// addLocked enters x under a free id.
func (s *socket) addLocked(x *Exchange) uint16 {
	if s.questions != nil {
		s.questions[wire.QuestionHash(wire.Question(x.msg))]++
	}
	return s.pending.Add(x, s.u.random)
}

// removeLocked takes out what was entered under the id.
func (s *socket) removeLocked(id uint16) {
	x := s.pending.Remove(id)
	if x == nil || s.questions == nil {
		return
	}
	hash := wire.QuestionHash(wire.Question(x.msg))
	if s.questions[hash]--; s.questions[hash] <= 0 {
		delete(s.questions, hash)
	}
}

// sentLocked notes that a query with id is sent.
func (s *socket) sentLocked(id uint16, now time.Time) {
	s.sent = now
	s.ids[id/64] |= 1 << (id % 64)
}

// hadLocked reports whether a query with id was sent.
func (s *socket) hadLocked(id uint16) bool { return s.ids[id/64]&(1<<(id%64)) != 0 }

// Waits implements ports.Owner.
func (s *socket) Waits(id uint16) (now, before bool) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	return s.pending.Get(id) != nil, s.hadLocked(id)
}

// wornLocked reports whether another port should take the place of s's: it has been
// open to guesses for long, it may lead nowhere, or its ids run low.
func (s *socket) wornLocked(now time.Time) bool {
	if s.u.presence.down && s.Age(now) > maxAgeDown || s.pending.Full() {
		s.Retire()
	}
	return s.Retiring(now)
}

// Received implements ports.Owner. A packet that answers nothing is ignored, so that a
// forged or stray packet ends no exchange (R9; RFC 5452, section 9.1).
func (s *socket) Received(msg []byte, now time.Time) {
	var out outbox
	s.u.mu.Lock()
	s.u.random.Fill()
	s.receivedLocked(msg, now, &out)
	s.u.mu.Unlock()
	s.u.do(&out)
}

func (s *socket) receivedLocked(msg []byte, now time.Time, out *outbox) {
	id := wire.Header(msg).ID()
	x := s.pending.Get(id)
	if x == nil {
		s.nearMissLocked(msg, now, out)
		return
	}
	if !matches(x.msg, msg) {
		return
	}
	if x.packets == 1 {
		if took := now.Sub(x.begun); x.dials == 0 && took <= s.u.cfg.Timeout {
			s.u.rtt.sample(took)
		}
		if !s.u.doubtful(msg) {
			s.removeLocked(id)
		}
	} // else its other packets may be answered too, and that is no near miss
	x.repliedLocked(msg, s, nil, now, out)
}

// nearMissLocked looks for the exchange that msg would answer if its id were right.
// Somebody may be guessing: the exchange leaves UDP, and the port goes out of use for all
// upstreams (R9). A reply with an id that was used before is one that comes late.
func (s *socket) nearMissLocked(msg []byte, now time.Time, out *outbox) {
	h := wire.Header(msg)
	if !h.Response() || h.Questions() == 0 || s.hadLocked(h.ID()) || !s.hasQuestionLocked(wire.Question(msg)) {
		return
	}
	for id, x := range s.pending.All() {
		if !x.phase.onUDP() || !matches(x.msg, msg) {
			continue
		}
		s.Retire()
		s.u.retireLocked(s)
		s.removeLocked(id)
		x.socket = nil
		out.add(job{kind: nearMissJob})
		e := forged // should the stream fail, another port and id may be tried
		if x.missed {
			e = useless
		}
		x.missed = true
		x.stepLocked(e, errNearMiss, now, out)
		return
	}
}

// hasQuestionLocked reports whether an exchange may be pending that asks this. It
// spares the look at each of them: a flood of packets that answer nothing must not
// hold up the others.
func (s *socket) hasQuestionLocked(question []byte) bool {
	if question == nil {
		return false
	}
	if s.questions == nil {
		s.questions = make(map[uint64]int, s.pending.Len())
		for _, x := range s.pending.All() {
			s.questions[wire.QuestionHash(wire.Question(x.msg))]++
		}
	}
	return s.questions[wire.QuestionHash(question)] > 0
}

// Failed implements ports.Owner.
func (s *socket) Failed(err error, now time.Time) {
	var out outbox
	s.u.mu.Lock()
	var hit []*Exchange
	for _, x := range s.pending.All() {
		if x.phase.onUDP() {
			hit = append(hit, x)
		}
	}
	for _, x := range hit {
		x.socketFailedLocked(s, err, now, &out)
	}
	if ports.BreaksSocket(err) {
		s.u.retireAllLocked(now)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}
