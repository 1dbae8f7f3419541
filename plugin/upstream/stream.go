package upstream

import (
	"context"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
)

func newStream(u *Upstream) *stream {
	ctx, cancel := context.WithCancel(context.Background())
	return &stream{u: u, ctx: ctx, cancel: cancel, queued: make(chan struct{}, 1)}
}

// askLocked queues x's query.
func (s *stream) askLocked(x *Exchange, now instant.Time) {
	if s.pending.Len() == 0 {
		s.owing = now
	}
	s.u.conns.lastAsked = now
	x.conn.due = now.Add(s.u.known.Stall())
	if s.pending.Full() { // it is tried again when due
		return
	}
	x.restoreEDNS()
	x.conn.stream = s
	x.conn.owed++
	x.conn.dials++
	s.queue = append(s.queue, s.pending.Add(x, s.u.random))
	if s.tripper != nil {
		s.hireLocked()
		return
	}
	select {
	case s.queued <- struct{}{}:
	default:
	}
}

// openedLocked notes that the connection is there. For what waited for the first it is a
// sign of life, and no silence: handshakes may have taken most of patience. What was
// asked in vain before, over UDP or another stream, gives it some time.
func (s *stream) openedLocked() {
	e := connected
	if s.alone {
		e = connectedAlone
	}
	s.state = s.state.next(e)
	s.heard = instant.Now()
	s.u.conns.opened = s.heard
	least := s.heard.Add(known.LeastStall - s.u.patienceLocked())
	for _, x := range s.pending.All() {
		switch {
		case x.conn.dials == 1 && x.udp.packets == 0:
			x.wait.silenceFrom = s.heard
		case x.conn.dials > 1 && x.udp.packets > 0: // UDP and a stream have had their time
		case x.wait.silenceFrom.Before(least):
			x.wait.silenceFrom = least
		}
	}
}

// everOpen reports whether there was a connection.
func (s *stream) everOpen() bool { return !s.heard.IsZero() }

// takesMore reports whether further exchanges may use the stream.
func (s *stream) takesMore() bool { return s.state < draining && !s.alone }

// freeLocked reports whether another query would not have to wait for those under way.
func (s *stream) freeLocked(now instant.Time) bool {
	return s.pending.Len() == 0 || s.tripper != nil && s.pending.Len() < maxWorkers && !s.stalledLocked(now)
}

// stalledLocked reports whether the server has kept a query waiting for long.
func (s *stream) stalledLocked(now instant.Time) bool {
	since := now.Add(-s.u.known.Stall())
	return s.pending.Len() > 0 && !s.owing.After(since) && !s.heard.After(since)
}

// drainLocked takes the stream out of use. It is closed when nothing is pending: what it
// owes may come yet.
func (s *stream) drainLocked() {
	s.state = s.state.next(retire)
	s.closeDrainedLocked()
}

// closeDrainedLocked closes a stream that takes no more queries and owes nothing.
func (s *stream) closeDrainedLocked() {
	if !s.takesMore() && s.pending.Len() == 0 {
		s.closeLocked()
	}
}

// A server that sends a hundred messages in a row that answer nothing is cut off, and for
// a while not dialled: to read them would take as much of the processor as it likes.
const (
	maxUseless   = 100
	uselessPause = time.Second
)

// uselessLocked notes that the stream brought a message that answers nothing.
func (s *stream) uselessLocked(now instant.Time) {
	if s.useless++; s.useless >= maxUseless {
		s.u.conns.notBefore = now.Add(uselessPause)
		s.closeLocked()
	}
}

// closeLocked takes the stream off the upstream's list and ends it; run takes care of what
// is pending.
func (s *stream) closeLocked() {
	if i := slices.Index(s.u.conns.open, s); i >= 0 {
		s.u.conns.open = append(s.u.conns.open[:i:i], s.u.conns.open[i+1:]...)
	}
	s.state = s.state.next(end)
	s.cancel()
}

// causeLocked reports whether one of the queries may be why the connection has ended:
// another had ended with that query before.
func (s *stream) causeLocked() bool {
	for _, x := range s.pending.All() {
		if x.conn.dials+x.conn.closedEarly > 1 {
			return true
		}
	}
	return false
}

// callOffLocked ends the round trips of exchanges that are not pending any longer.
func (s *stream) callOffLocked() {
	for _, w := range s.workers {
		if w.x != nil && s.pending.Get(w.id) != w.x {
			w.cancel()
		}
	}
}
