package upstream

import (
	"context"
	"errors"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// RoundTripper is a connection on which each query has a stream of its own, as over
// HTTPS and QUIC. Its methods may be called from any goroutine.
type RoundTripper interface {
	// RoundTrip asks msg, whose id is 0, and returns the reply. It returns early
	// when ctx is done or the connection is closed. The connection is asked no
	// more after any error but an [AloneError].
	RoundTrip(ctx context.Context, msg []byte) (reply []byte, err error)
	// Done is closed when the connection has ended.
	Done() <-chan struct{}
	Close() error
}

// AloneError is why one exchange failed on a connection that is all right.
type AloneError struct{ Err error }

func (e AloneError) Error() string { return e.Err.Error() }
func (e AloneError) Unwrap() error { return e.Err }

// maxWorkers is how many exchanges are under way on a [RoundTripper] at a time, each
// with a goroutine; others queue up. Servers are asked to allow as many (RFC 9113,
// section 6.5.2), and few allow many more.
const maxWorkers = 100

// worker makes one exchange after another. A goroutine of its own for each would
// have to grow its stack each time.
type worker struct {
	s   *stream
	msg []byte // the query

	// Guarded by u.mu.
	x      *Exchange // under way; nil: none
	id     uint16
	ctx    context.Context
	cancel context.CancelFunc // calls it off
}

// serveRoundTripper lets workers exchange what is queued, until the connection has
// ended or the stream is closed.
func (s *stream) serveRoundTripper(conn RoundTripper) {
	defer s.all.Wait()
	defer conn.Close()
	s.u.mu.Lock()
	s.tripper = conn
	s.idle.L = &s.u.mu
	s.openedLocked()
	for range s.queue {
		s.hireLocked()
	}
	s.u.mu.Unlock()
	select {
	case <-conn.Done():
		s.leave()
	case <-s.ctx.Done():
	}
	<-s.ctx.Done()
	s.dismiss()
}

// hireLocked wakes a worker, or starts one if too few are idle.
func (s *stream) hireLocked() {
	if len(s.queue) <= s.idlers {
		s.idle.Signal()
	} else if len(s.workers) < maxWorkers {
		w := &worker{s: s}
		s.workers = append(s.workers, w)
		s.all.Go(w.work)
	}
}

// dismiss lets workers see that the stream is closed.
func (s *stream) dismiss() {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.idle.Broadcast()
}

// leave takes the stream out of use. It ends when nothing is pending: some servers
// finish what they were asked before.
func (s *stream) leave() {
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	s.leaving = true
	s.endLeftLocked()
}

// endLeftLocked closes a stream that is out of use and owes nothing.
func (s *stream) endLeftLocked() {
	if s.leaving && s.pending.Len() == 0 {
		s.closeLocked()
	}
}

// callOffLocked ends the exchanges that are not pending any longer.
func (s *stream) callOffLocked() {
	for _, w := range s.workers {
		if w.x != nil && s.pending.Get(w.id) != w.x {
			w.cancel()
		}
	}
}

func (w *worker) work() {
	s := w.s
	for w.take() {
		reply, err := s.tripper.RoundTrip(w.ctx, w.msg)
		switch {
		case err == nil:
			if len(reply) >= wire.HeaderSize {
				wire.Header(reply).SetID(w.id)
			}
			if !s.received(reply) {
				w.failed(AloneError{errMalformed})
			}
		case w.ctx.Err() == nil: // else it was called off
			w.failed(err)
		}
	}
}

// take waits for the next exchange. It returns false when the
// stream is closed.
func (w *worker) take() bool {
	s := w.s
	s.u.mu.Lock()
	defer s.u.mu.Unlock()
	w.x = nil
	if w.ctx == nil || w.ctx.Err() != nil {
		w.ctx, w.cancel = context.WithCancel(s.ctx) // which ends with the stream
	}
	for s.ctx.Err() == nil {
		for len(s.queue) > 0 {
			w.id, s.queue = s.queue[0], s.queue[1:]
			if w.x = s.pending.Get(w.id); w.x != nil { // else it was forgotten
				w.msg = append(w.msg[:0], w.x.msg...)
				wire.Header(w.msg).SetID(0)
				return true
			}
		}
		s.endLeftLocked()
		s.idlers++
		s.idle.Wait()
		s.idlers--
	}
	return false
}

// failed ends the exchange, which brought no reply, or asks it again elsewhere.
func (w *worker) failed(err error) {
	s, now := w.s, time.Now()
	var alone AloneError
	only := errors.As(err, &alone)
	var out outbox
	s.u.mu.Lock()
	its := s.pending.Get(w.id) == w.x
	if its {
		s.pending.Remove(w.id)
	}
	if only { // it spoke
		s.heard, s.used = now, true
		s.u.heardLocked(false, now, &out)
	} else {
		s.leaving = true
	}
	s.endLeftLocked()
	if its {
		w.x.streamEndedLocked(s, plainly(err), !only, now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
}
