package upstream

import (
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// socket is a connected UDP socket with a port of its own. The kernel lets only
// packets from the resolver's address and port through (R9).
type socket struct {
	u    *Upstream
	conn net.Conn
	born time.Time

	// Guarded by u.mu.
	pending   pending
	sent      time.Time            // when it was last sent on
	ids       [1 << 16 / 64]uint64 // those that were used on it, as bits
	questions map[uint64]int       // how many exchanges are pending by what they ask; nil: nobody wanted to know yet
}

// addLocked enters x under a free id.
func (s *socket) addLocked(x *Exchange) uint16 {
	if s.questions != nil {
		s.questions[wire.QuestionHash(wire.Question(x.msg))]++
	}
	return s.pending.add(x, s.u.random)
}

// removeLocked takes out what was entered under the id.
func (s *socket) removeLocked(id uint16) {
	x := s.pending[id]
	if x == nil {
		return
	}
	delete(s.pending, id)
	if s.questions == nil {
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

// wornLocked reports whether another socket should take s's place: its port has been
// open to guesses for long, it leads nowhere, or its ids run low.
func (s *socket) wornLocked(now time.Time) bool {
	age := now.Sub(s.born)
	return age > maxAge || age > maxAgeDown && s.u.presence.down || len(s.pending) >= maxPending
}

// read takes packets until the socket is closed.
func (s *socket) read() {
	buf := make([]byte, 1<<16)
	for {
		n, err := s.conn.Read(buf)
		switch {
		case err == nil:
			s.received(buf[:n])
		case errors.Is(err, net.ErrClosed):
			return
		default:
			if !s.failed(err) {
				return
			}
		}
	}
}

// received takes one packet. One that answers nothing is ignored, so that a
// forged or stray packet ends no exchange (R9; RFC 5452, section 9.1).
func (s *socket) received(msg []byte) {
	if len(msg) < wire.HeaderSize {
		return
	}
	var out outbox
	now := time.Now()
	s.u.mu.Lock()
	s.u.random.fill()
	s.receivedLocked(msg, now, &out)
	s.u.mu.Unlock()
	s.u.do(&out)
}

func (s *socket) receivedLocked(msg []byte, now time.Time, out *outbox) {
	id := wire.Header(msg).ID()
	x := s.pending[id]
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
		s.removeLocked(id)
	} // else its other packets may be answered too, and that is no near miss
	x.repliedLocked(msg, s, nil, now, out)
}

// nearMissLocked looks for the exchange that msg would answer if its id were right.
// Somebody may be guessing: the exchange leaves UDP, and the socket goes out of use
// (R9). A reply with an id that was used before is one that comes late.
func (s *socket) nearMissLocked(msg []byte, now time.Time, out *outbox) {
	h := wire.Header(msg)
	if !h.Response() || h.Questions() == 0 || s.hadLocked(h.ID()) || !s.hasQuestionLocked(wire.Question(msg)) {
		return
	}
	for id, x := range s.pending {
		if !x.phase.onUDP() || !matches(x.msg, msg) {
			continue
		}
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
		s.questions = make(map[uint64]int, len(s.pending))
		for _, x := range s.pending {
			s.questions[wire.QuestionHash(wire.Question(x.msg))]++
		}
	}
	return s.questions[wire.QuestionHash(question)] > 0
}

// failed handles an error of Read, which is the word of some ICMP message or of
// a link that went away. It reports whether reading can go on.
func (s *socket) failed(err error) bool {
	forgetICMP(s.conn)
	var out outbox
	now := time.Now()
	s.u.mu.Lock()
	var hit []*Exchange
	for _, x := range s.pending {
		if x.phase.onUDP() {
			hit = append(hit, x)
		}
	}
	for _, x := range hit {
		x.socketFailedLocked(s, err, now, &out)
	}
	if spoilt(err) {
		s.u.retireAllLocked()
	}
	s.u.mu.Unlock()
	s.u.do(&out)
	// Linux reports each ICMP error once, and the socket goes on; any other
	// error could come back for ever.
	var errno syscall.Errno
	return errors.As(err, &errno)
}
