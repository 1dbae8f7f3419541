package upstream

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// maxSame is how many exchanges with the same question are under way over UDP at a time.
	// Each further one would be one more id that a forger may guess (RFC 5452, section 5).
	maxSame = 4
	// turnWait is after what time an exchange that waits for its turn looks again whether it
	// may ask, if it was not woken before.
	turnWait = 100 * time.Millisecond
)

// full reports whether as many exchanges as may be are under way for the question, as counted
// by [Query.questionCount].
func (t *turns) full(question uint16) bool {
	return t.counts != nil && t.counts[question] >= maxSame
}

// mayAskUDP reports whether the exchange may ask over UDP now. If not, it is woken when one
// with the same question has left UDP. The time until then is not silence of the upstream.
func (x *Exchange) mayAskUDP(now instant.Time) bool {
	t := &x.u.turns
	switch {
	case x.udp.counted || x.probe:
		return true
	case t.full(x.question):
		if t.waiting == nil {
			t.waiting = make(map[uint16][]*Exchange)
		}
		if !slices.Contains(t.waiting[x.question], x) {
			t.waiting[x.question] = append(t.waiting[x.question], x)
		}
		x.udp.due, x.wait.silenceFrom = now.Add(turnWait), now
		return false
	}
	if t.counts == nil {
		t.counts = new([1 << 14]uint8)
	}
	t.counts[x.question]++
	x.udp.counted = true
	return true
}

// leaveTurn ends the exchange's turn, if it has one. It returns the exchange with the same
// question that has waited longest for a turn; nil: none.
func (x *Exchange) leaveTurn() (next *Exchange) {
	if !x.udp.counted {
		return nil
	}
	x.udp.counted = false
	t := &x.u.turns
	t.counts[x.question]--
	for len(t.waiting[x.question]) > 0 && next == nil {
		next = t.waiting[x.question][0]
		t.waiting[x.question] = t.waiting[x.question][1:]
		if next.phase == ended || next.udp.counted || !next.to.Waiting() {
			next = nil
		}
	}
	if len(t.waiting[x.question]) == 0 {
		delete(t.waiting, x.question)
	}
	return next
}

// passTurn ends the exchange's turn, and wakes the next one with the same question.
func (x *Exchange) passTurn(now instant.Time, out *outbox) {
	if next := x.leaveTurn(); next != nil {
		next.udp.due = now
		out.add(job{kind: againJob, to: next.to})
	}
}

// questionCount returns the index in turns.counts at which exchanges with the query's question
// are counted: a hash. It is the same for all upstreams, so it is computed once for a race.
func (q *Query) questionCount() uint16 {
	const known = 1 << 16 // it was computed before
	if count := atomic.LoadUint32(&q.count); count != 0 {
		return uint16(count)
	}
	count := uint16(0)
	if question := wire.Question(q.Msg); question != nil {
		count = uint16(wire.QuestionHash(question) % (1 << 14))
	}
	atomic.StoreUint32(&q.count, known|uint32(count))
	return count
}
