package upstream

import (
	"slices"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// socketLocked returns the socket on one of the ports in use, which is that of the batch,
// or drawn at random, but not the one that failed, which may be nil.
func (u *Upstream) socketLocked(now instant.Time, failed *socket, out *outbox) (*socket, error) {
	i := out.draw(u, now)
	if failed != nil && u.sockets[i] == failed {
		i = (i + 1) % len(u.sockets)
	}
	if s := u.sockets[i]; s != nil && !s.retiringLocked(now) {
		return s, nil
	}
	fresh, err := u.openSocketLocked(i, now)
	if err == nil {
		return fresh, nil
	}
	for _, s := range u.sockets[:] { // not of a copy: stacks of those that ask are small
		if s != nil && s != failed && !s.pending.Full() {
			return s, nil
		}
	}
	return nil, err
}

// openSocketLocked puts a socket on the i-th port into use, in place of another if there
// is one.
func (u *Upstream) openSocketLocked(i int, now instant.Time) (*socket, error) {
	s := &socket{u: u}
	part, err := u.cfg.Ports.Join(s, u.peer, i, now)
	if err != nil {
		return nil, err
	}
	s.Socket = part
	u.retireLocked(u.sockets[i])
	u.sockets[i] = s
	u.tidySoonLocked(now)
	return s, nil
}

// retireLocked takes a socket out of use; replies are still read from it until none is
// pending.
func (u *Upstream) retireLocked(s *socket) {
	for i := range u.sockets {
		if u.sockets[i] != s || s == nil {
			continue
		}
		u.sockets[i] = nil
		if s.pending.Len() == 0 {
			s.Close()
		} else {
			u.retired = append(u.retired, s)
		}
	}
}

// renewSocketsLocked takes all sockets out of use, for others on fresh ports; but not if
// that was done for some upstream just now, and too often.
func (u *Upstream) renewSocketsLocked(now instant.Time) {
	if !u.cfg.Ports.Renew(now) {
		return
	}
	for _, s := range u.sockets {
		u.retireLocked(s)
	}
}

// renewAllLocked takes all sockets and idle streams out of use after an error of one, or a
// silence: what is wrong with one is wrong with all. Streams that owe a reply are left to
// show by themselves.
func (u *Upstream) renewAllLocked(now instant.Time) {
	u.renewSocketsLocked(now)
	for i := len(u.conns.open) - 1; i >= 0; i-- { // from the end: close takes it off the list
		if s := u.conns.open[i]; s.state.connected() && s.pending.Len() == 0 {
			s.closeLocked()
		}
	}
}

// retiringLocked reports whether another port should take the place of the socket's: it has
// been open to guesses for long, it may lead nowhere, or its ids run low.
func (s *socket) retiringLocked(now instant.Time) bool {
	if s.u.known.Down && s.Age(now) > maxAgeDown || s.pending.Full() {
		s.Retire()
	}
	return s.Retiring(now)
}

// addLocked enters x under a free id.
func (s *socket) addLocked(x *Exchange) uint16 {
	if s.questions != nil {
		s.questions[x.questionHash()]++
	}
	return s.pending.Add(x, s.u.random)
}

// removeLocked takes out what was entered under the id.
func (s *socket) removeLocked(id uint16) {
	x := s.pending.Remove(id)
	if x == nil || s.questions == nil {
		return
	}
	hash := x.questionHash()
	if s.questions[hash]--; s.questions[hash] <= 0 {
		delete(s.questions, hash)
	}
}

// sentLocked notes that a query with id is sent.
func (s *socket) sentLocked(id uint16, now instant.Time) {
	s.sent = now
	s.used.Add(id)
}

// manyWrongIDs is how many errors without a question, and with wrong ids, are more than
// chance: they may be tried on all exchanges of a port.
const manyWrongIDs = 3

// nearMissesLocked returns the exchanges that a reply would answer if its id were right. A
// reply with an id that was used before is one that comes late. One without a question might
// answer any exchange; of these not the first few count.
func (s *socket) nearMissesLocked(reply []byte) (missed []*Exchange) {
	h := wire.Header(reply)
	if !h.Response() || s.used.Has(h.ID()) {
		return nil
	}
	all := h.Questions() == 0
	switch {
	case all && s.wrongIDs < manyWrongIDs:
		s.wrongIDs++
		return nil
	case !all && !s.hasQuestionLocked(wire.Question(reply)):
		return nil
	}
	if all {
		return s.answeredByLocked(nil, func(x *Exchange) bool { return x.udp.wrongIDs == 0 })
	}
	same := func(x *Exchange) bool { return matches(x.query.msg, reply) }
	if missed = s.answeredByLocked(nil, same); len(missed) == 0 {
		return nil
	}
	for _, list := range [][]*socket{s.u.sockets[:], s.u.retired} { // whoever guesses may guess at all that ask this
		for _, other := range list {
			if other != nil && other != s && other.hasQuestionLocked(wire.Question(reply)) {
				missed = other.answeredByLocked(missed, func(x *Exchange) bool { return same(x) && !slices.Contains(missed, x) }) // one may be on several
			}
		}
	}
	return missed
}

// answeredByLocked appends to those found the exchanges on the socket that take replies over
// UDP and that pass the test.
func (s *socket) answeredByLocked(found []*Exchange, test func(*Exchange) bool) []*Exchange {
	for _, x := range s.pending.All() {
		if x.phase.hearsUDP() && test(x) {
			found = append(found, x)
		}
	}
	return found
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
			s.questions[x.questionHash()]++
		}
	}
	return s.questions[wire.QuestionHash(question)] > 0
}

// questionHash is that of what the exchange asks.
func (x *Exchange) questionHash() uint64 { return wire.QuestionHash(wire.Question(x.query.msg)) }
