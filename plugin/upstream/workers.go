package upstream

import (
	"context"
	"errors"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// serveRoundTripper lets workers exchange what is queued, until the connection has
// ended or the stream is closed.
func (s *stream) serveRoundTripper(conn RoundTripper) {
	defer s.running.Wait()
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
	case <-conn.Done(): // some servers finish what they were asked before
		s.lastCall()
	case <-s.ctx.Done():
	}
	<-s.ctx.Done()
	s.u.mu.Lock()
	s.idle.Broadcast() // workers see that the stream is closed
	s.u.mu.Unlock()
}

// lastCall lets the stream end with the round trips that are under way.
func (s *stream) lastCall() {
	var out outbox
	s.u.mu.Lock()
	s.drainLocked()
	s.moveQueuedLocked(errClosed, instant.Now(), &out)
	s.u.mu.Unlock()
	s.u.do(&out)
}

// hireLocked wakes a worker, or starts one if too few are idle.
func (s *stream) hireLocked() {
	if len(s.queue) <= s.idlers {
		s.idle.Signal()
	} else if len(s.workers) < maxWorkers {
		w := &worker{s: s}
		s.workers = append(s.workers, w)
		s.running.Go(w.work)
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
				s.queryFailed(w.id, w.x, errMalformed, true)
			}
		case w.ctx.Err() == nil: // else it was called off
			var only QueryError
			s.queryFailed(w.id, w.x, err, errors.As(err, &only))
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
				w.msg = append(w.msg[:0], w.x.query.msg...)
				wire.Header(w.msg).SetID(0)
				return true
			}
		}
		s.closeDrainedLocked()
		s.idlers++
		s.idle.Wait()
		s.idlers--
	}
	return false
}
