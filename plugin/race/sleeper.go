package race

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// sleeper is what the goroutine of a race sleeps on. It may wake for no reason.
type sleeper struct {
	event pollEvent     // nil: it sleeps on woken
	woken chan struct{} // nil: it has an event

	// Guarded by the clock's mu.
	slot       int // of a list; -1: in none
	prev, next *sleeper

	timer *time.Timer // without a clock; nil: it was not needed yet
}

// pollEvent is what a goroutine waits for in the system's poller. Whoever wakes a goroutine by a channel
// has a second thread look for it, which finds nothing to do while the first one runs it; from the
// poller the first takes it itself. Where a thread has to wake for each packet, that spares a
// quarter of all thread switches.
type pollEvent interface {
	set()   // it ends a wait, now or to come
	clear() // it was not set
	wait()
	close() // it is called once, and nothing else afterwards, but perhaps set
}

func newSleeper(e pollEvent) *sleeper {
	s := &sleeper{event: e, slot: -1}
	if e == nil {
		s.woken = make(chan struct{}, 1)
	}
	return s
}

func (s *sleeper) wake() {
	if s.event != nil {
		s.event.set()
		return
	}
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// wait waits until s is woken or ctx is done, and reports whether ctx is.
func (s *sleeper) wait(ctx context.Context) (done bool) {
	switch {
	case s.event != nil && ctx.Done() != nil:
		defer context.AfterFunc(ctx, s.wake)()
		s.event.wait()
	case s.event != nil:
		s.event.wait()
	case ctx.Done() == nil:
		<-s.woken
	default:
		select {
		case <-s.woken:
		case <-ctx.Done():
		}
	}
	return ctx.Err() != nil
}

// forget has s not be woken.
func (s *sleeper) forget() {
	if s.event != nil {
		s.event.clear()
		return
	}
	select {
	case <-s.woken:
	default:
	}
}

// maxEvents is how many races sleep on events at a time. With more, threads hardly ever sleep.
const maxEvents = 8

// sleepers are those that no race uses. The zero value has none, and makes them.
type sleepers struct {
	plain  sync.Pool     // of *sleeper without an event
	events chan *sleeper // the others; nil: one to be made
	closed atomic.Bool
}

// useEvents has some sleepers sleep on events, where the system has such.
func (f *sleepers) useEvents() {
	f.events = make(chan *sleeper, maxEvents)
	for range maxEvents {
		f.events <- nil
	}
}

// closeEvents closes the events, those in use when they are given back.
func (f *sleepers) closeEvents() {
	f.closed.Store(true)
	for {
		select {
		case s := <-f.events:
			if s != nil {
				s.event.close()
			}
		default:
			return
		}
	}
}

func (f *sleepers) take() *sleeper {
	select {
	case s := <-f.events:
		if s != nil {
			return s
		}
		if e := newPollEvent(); e != nil {
			return newSleeper(e)
		}
	default:
	}
	if s, ok := f.plain.Get().(*sleeper); ok {
		return s
	}
	return newSleeper(nil)
}

// give takes one back. Only the clock may wake it by then.
func (f *sleepers) give(s *sleeper) {
	s.forget()
	if s.event == nil {
		f.plain.Put(s)
		return
	}
	f.events <- s
	if f.closed.Load() {
		f.closeEvents()
	}
}
