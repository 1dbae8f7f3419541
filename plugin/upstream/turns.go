package upstream

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	// maxSame is how many exchanges that ask the same are under way over UDP at a time. Each
	// one more would be one more id that a forger may hit (RFC 5452, section 5).
	maxSame = 4
	// turnWait is after what time an exchange looks again whether it may ask, if it was not
	// woken before.
	turnWait = 100 * time.Millisecond
)

func (t *turns) full(question uint16) bool {
	return t.counts != nil && t.counts[question] >= maxSame
}

// mayAskUDP reports whether the exchange may ask over UDP now. If not, it is woken when one
// that asks the same has ended; that is no silence.
func (x *Exchange) mayAskUDP(now time.Time) bool {
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

// leaveTurn gives the exchange's turn to the next one that asks the same, if there is one,
// which it returns.
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

// passTurn wakes the next one that asks the same.
func (x *Exchange) passTurn(now time.Time, out *outbox) {
	if next := x.leaveTurn(); next != nil {
		next.udp.due = now
		out.add(job{kind: againJob, to: next.to})
	}
}

// questionCount is where exchanges of the query's question are counted. It is the same for all
// upstreams, so it is found once a race.
func (q *Query) questionCount() uint16 {
	const known = 1 << 16 // it was found
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
