package upstream

import (
	"bytes"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// socket is a connected UDP socket with a port of its own. The kernel lets only
// packets from the resolver's address and port through.
type socket struct {
	u    *Upstream
	conn net.Conn
	born time.Time

	// Guarded by u.mu.
	pending pending
	asked   time.Time            // when it was last sent on
	ids     [1 << 16 / 64]uint64 // those that were used on it, as bits
}

// sent notes that a query with id is sent. u.mu is held.
func (s *socket) sent(id uint16, now time.Time) {
	s.asked = now
	s.ids[id/64] |= 1 << (id % 64)
}

// had reports whether a query with id was sent. u.mu is held.
func (s *socket) had(id uint16) bool { return s.ids[id/64]&(1<<(id%64)) != 0 }

// worn reports whether another socket should take s's place: its port has been
// open to guesses for long, it leads nowhere, or its ids run low. u.mu is held.
func (s *socket) worn(now time.Time) bool {
	age := now.Sub(s.born)
	return age > maxAge || age > maxAgeDown && s.u.health.down || len(s.pending) >= maxPending
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
// forged or stray packet ends no exchange (RFC 5452, section 9.1).
func (s *socket) received(msg []byte) {
	if len(msg) < wire.HeaderSize {
		return
	}
	now := time.Now()
	s.u.mu.Lock()
	s.u.random.fill()
	x := s.pending[wire.Header(msg).ID()]
	if x == nil {
		x = s.nearMiss(msg)
		s.u.mu.Unlock()
		if x != nil {
			s.u.cfg.Observer.NearMiss()
			x.overTCP(now, errNearMiss)
		}
		return
	}
	if !matches(x.msg, msg) {
		s.u.mu.Unlock()
		return
	}
	back := s.u.heard(now)
	first := x.udp == underway
	to, err := s.answer(x, msg, now)
	s.u.mu.Unlock()

	switch {
	case err == errNoEDNS:
		x.send(now)
	case err != nil:
		x.overTCP(now, err)
	case to != nil:
		to.Reply(bytes.Clone(msg))
	}
	if first && err == nil {
		s.u.cfg.Observer.Replied(wire.Header(msg).Rcode(), now.Sub(x.begun))
	}
	s.u.tell(back)
}

// answer takes msg for the reply to x, and returns who is to be told, or why the
// reply is of no use. u.mu is held.
func (s *socket) answer(x *Exchange, msg []byte, now time.Time) (Receiver, error) {
	if x.packets == 1 {
		if took := now.Sub(x.begun); x.dials == 0 && took <= s.u.cfg.Timeout {
			s.u.rtt.sample(took)
		}
		delete(s.pending, wire.Header(msg).ID())
	} // else its other packets may be answered too, and that is no near miss
	if x.udp != underway {
		return nil, nil
	}
	x.udp = spent
	if !x.to.Waiting() {
		x.end()
		return nil, nil
	}
	if x.withoutEDNS(msg) {
		delete(s.pending, wire.Header(msg).ID())
		x.udp, x.socket, x.packets = untried, nil, 0
		return nil, errNoEDNS
	}
	err := usable(msg, x.truncated)
	switch err {
	case nil:
		return x.end(), nil
	case errTruncated:
		x.keep(msg)
	}
	return nil, err
}

// nearMiss returns the exchange that msg would answer if its id were right, or
// nil. Somebody may be guessing: the exchange leaves UDP, and the socket goes
// out of use. A reply with an id that was used before is one that comes late.
// u.mu is held.
func (s *socket) nearMiss(msg []byte) *Exchange {
	if s.had(wire.Header(msg).ID()) {
		return nil
	}
	for id, x := range s.pending {
		if x.udp != underway || !matches(x.msg, msg) || wire.Header(msg).Questions() == 0 {
			continue
		}
		s.u.retire(s)
		delete(s.pending, id)
		x.socket = nil
		x.udp = spent
		if !x.missed { // should TCP fail, another port and id may be tried
			x.udp = untried
		}
		x.missed = true
		return x
	}
	return nil
}

// failed handles an error of Read, which is the word of some ICMP message or of
// a link that went away. It reports whether reading can go on.
func (s *socket) failed(err error) bool {
	forgetICMP(s.conn)
	s.u.mu.Lock()
	var hit []*Exchange
	for _, x := range s.pending {
		if x.udp == underway {
			hit = append(hit, x)
		}
	}
	s.u.mu.Unlock()
	for _, x := range hit {
		x.socketFailed(s, err)
	}
	if spoilt(err) {
		s.u.mu.Lock()
		defer s.u.mu.Unlock()
		s.u.retireAll()
	}
	// Linux reports each ICMP error once, and the socket goes on; any other
	// error could come back for ever.
	var errno syscall.Errno
	return errors.As(err, &errno)
}

// spoilt reports whether an error may stick to its socket: a connected socket
// keeps a source address that is gone. A refusal speaks of the server alone.
func spoilt(err error) bool { return !errors.Is(err, syscall.ECONNREFUSED) }
