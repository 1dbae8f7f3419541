package upstream

import (
	"encoding/binary"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Waits implements ports.Owner.
func (s *socket) Waits(id uint16) (now, before bool) {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	return s.pending.Get(id) != nil, s.used.Has(id)
}

// Received implements ports.Owner. A packet that answers nothing is ignored, so that a
// forged or stray one ends no exchange (R9; RFC 5452, section 9.1).
func (s *socket) Received(msg []byte, now instant.Time) (answers bool) {
	var out outbox
	s.u.mu.Lock()
	s.u.random.Fill()
	answers = s.receivedLocked(msg, now, &out)
	s.u.mu.Unlock()
	s.u.do(&out)
	return answers
}

func (s *socket) receivedLocked(msg []byte, now instant.Time, out *outbox) (answers bool) {
	id := wire.Header(msg).ID()
	x := s.pending.Get(id)
	if x == nil {
		s.missedLocked(s.nearMissesLocked(msg), now, out)
		return false
	}
	if !matches(x.query.msg, msg) || x.distrusts(msg) {
		return false
	}
	if x.udp.packets == 1 {
		if took := now.Sub(x.begun); x.conn.dials == 0 && took <= s.u.cfg.Timeout {
			s.u.known.RTT.Sample(took)
		}
		if !s.u.suspects(msg) {
			s.removeLocked(id)
		}
	} // else its other packets may be answered too, and that is no near miss
	x.replied(msg, s, nil, now, out)
	return true
}

// missedLocked takes note of a reply that would answer these exchanges but for its id. Someone
// may be guessing: they ask a stream, and the port goes out of use for all upstreams (R9).
func (s *socket) missedLocked(missed []*Exchange, now instant.Time, out *outbox) {
	if len(missed) == 0 {
		return
	}
	s.Retire()
	s.u.retireLocked(s)
	out.add(job{kind: nearMissJob})
	for _, x := range missed {
		e, err := x.nearlyReplied()
		x.step(e, err, now, out)
	}
}

// Failed implements ports.Owner. Anyone can send ICMP, so it is believed for the exchange
// alone whose id is quoted. Hosts that quote less give a hint: streams are asked, too.
func (s *socket) Failed(err error, quoted []byte, now instant.Time) {
	var out outbox
	s.u.mu.Lock()
	if len(quoted) < 2 {
		for _, x := range s.onUDPLocked() {
			x.step(hinted, err, now, &out)
		}
	} else if x := s.pending.Get(binary.BigEndian.Uint16(quoted)); x != nil && x.udp.socket == s && x.quotedBy(quoted) {
		x.step(x.socketFailed(err, now), err, now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}

// onUDPLocked returns the exchanges that wait for a reply to a packet from the socket.
func (s *socket) onUDPLocked() (all []*Exchange) {
	for _, x := range s.pending.All() {
		if x.phase.onUDP() && x.udp.socket == s {
			all = append(all, x)
		}
	}
	return all
}

// quotedBy reports whether the beginning of a packet may be that of the exchange's, so far as
// it goes.
func (x *Exchange) quotedBy(quoted []byte) bool {
	if len(quoted) < wire.HeaderSize {
		return true
	}
	if wire.Header(quoted).Response() {
		return false
	}
	q := wire.Question(quoted)
	return q == nil || wire.SameQuestion(q, wire.Question(x.query.msg))
}

// NotSent implements ports.Owner.
func (s *socket) NotSent(id uint16, err error) {
	var out outbox
	now := instant.Now()
	s.u.mu.Lock()
	switch x := s.pending.Get(id); {
	case x == nil || x.udp.socket != s || x.udp.id != id || x.udp.packets == 0:
	case !ports.IsTransient(err):
		x.step(x.socketFailed(err, now), err, now, &out)
	case x.phase.onUDP():
		x.step(x.packetNotSent(now), nil, now, &out)
		out.add(job{kind: againJob, to: x.to})
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}

// received takes one message. It reports whether that answers anything.
func (s *stream) received(msg []byte) bool {
	var out outbox
	now := instant.Now()
	s.u.mu.Lock()
	answers := len(msg) >= wire.HeaderSize && s.receivedLocked(msg, now, &out)
	if answers {
		s.useless = 0
	} else {
		s.uselessLocked(now)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
	return answers
}

func (s *stream) receivedLocked(msg []byte, now instant.Time, out *outbox) bool {
	id := wire.Header(msg).ID()
	x := s.pending.Get(id)
	if x == nil || !matches(x.query.msg, msg) {
		return false
	}
	s.pending.Remove(id)
	x.conn.owed--
	s.heard, s.used = now, true
	if x.udp.packets == 0 { // too long a time, if it was asked again; the next is better then
		s.u.known.StreamRTT.Sample(now.Sub(x.begun))
	}
	x.replied(msg, nil, s, now, out)
	s.closeDrainedLocked()
	return true
}

// queryFailed ends one exchange of a stream, which brought no reply, or asks it again
// elsewhere. The stream goes on if only that query has failed.
func (s *stream) queryFailed(id uint16, x *Exchange, err error, only bool) {
	now := instant.Now()
	var out outbox
	s.u.mu.Lock()
	its := s.pending.Get(id) == x
	if its {
		s.pending.Remove(id)
	}
	if only { // it replied
		s.heard, s.used = now, true
		s.u.heardLocked(false, now, &out)
		s.closeDrainedLocked()
	} else {
		s.drainLocked()
		s.moveQueuedLocked(err, now, &out)
	}
	if its {
		err = plainly(err)
		x.step(x.streamEnded(s, err, !only, now), err, now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}

// moveQueuedLocked has what is queued asked elsewhere: the stream is asked no more.
func (s *stream) moveQueuedLocked(err error, now instant.Time, out *outbox) {
	err = plainly(err)
	queue := s.queue
	s.queue = nil
	for _, id := range queue {
		if x := s.pending.Remove(id); x != nil {
			x.step(x.streamEnded(s, err, true, now), err, now, out)
		}
	}
	s.closeDrainedLocked()
}

// After a connection that came to nothing there is none for some times as long as it took
// to find that out, so that the resolver is not bothered with a handshake for each query.
// Queries wait: it may be back by then.
const (
	pauseFactor  = 20
	maxDialPause = 100 * time.Millisecond
)

// ended has what is pending on a stream asked elsewhere, or ends the path over streams for
// it: the connection has ended.
func (s *stream) ended(err error) {
	var out outbox
	now := instant.Now()
	s.u.mu.Lock()
	if s.ctx.Err() != nil {
		err = errGivenUp
	} else if !s.used {
		if !s.everOpen() {
			s.u.conns.opened = instant.Never
		}
		s.u.conns.notBefore = later(s.u.conns.notBefore, now.Add(min(pauseFactor*now.Sub(s.dialled), maxDialPause)))
		if s.u.streamWorksLocked() && !s.causeLocked() {
			s.u.conns.limitedUntil = now.Add(maxLimited)
		}
	}
	s.closeLocked()
	left := s.pending
	s.pending = ports.Table[Exchange]{}
	s.u.rewarmLocked(s, now)
	for _, x := range left.All() {
		x.step(x.streamEnded(s, err, s.everOpen() || x.begun.After(s.dialled), now), err, now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}
