package upstream

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Alarm calls a function when it is due, or for no reason. Its methods are those of a
// [time.Timer].
type Alarm interface {
	Reset(time.Duration) bool
	Stop() bool
}

// Tidier has upstreams do what is due at whole seconds, all with one alarm and in one goroutine: so
// few threads wake for that.
type Tidier struct {
	mu    sync.Mutex
	due   map[*Upstream]instant.Time
	next  instant.Time // when the alarm rings; zero: it is off
	make  func(ring func()) (a Alarm, end func())
	alarm Alarm  // nil: it was not needed yet
	end   func() // closes the alarm; nil: there is nothing to close
}

// NewTidier returns one with an alarm that is made when it is needed, or a timer if that is nil. It
// also takes what closes the alarm, which may be nil.
func NewTidier(alarm func(ring func()) (a Alarm, end func())) *Tidier {
	if alarm == nil {
		alarm = timer
	}
	return &Tidier{due: make(map[*Upstream]instant.Time), make: alarm}
}

func timer(ring func()) (a Alarm, end func()) {
	t := time.AfterFunc(time.Hour, ring)
	t.Stop()
	return t, nil
}

// Close closes the alarm. The tidier goes on with a timer.
func (t *Tidier) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.make = timer
	if t.end == nil {
		return
	}
	go t.end() // it waits for who is being called, who may have called Close
	t.alarm, t.end = nil, nil
	if !t.next.IsZero() {
		t.armLocked(t.next, instant.Now())
	}
}

// set has the upstream tidied at a time; zero is never.
func (t *Tidier) set(u *Upstream, at, now instant.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.IsZero() {
		delete(t.due, u)
		return
	}
	t.due[u] = at
	if t.next.IsZero() || at.Before(t.next) {
		t.armLocked(at, now)
	}
}

func (t *Tidier) armLocked(at, now instant.Time) {
	if t.alarm == nil {
		t.alarm, t.end = t.make(t.ring)
	}
	t.next = at
	t.alarm.Reset(max(at.Sub(now), 1))
}

// ring tidies those whose time has come.
func (t *Tidier) ring() {
	for _, u := range t.take() {
		u.tidy()
	}
}

func (t *Tidier) take() (ready []*Upstream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, next := instant.Now(), instant.Never
	for u, at := range t.due {
		if !now.Before(at) {
			ready = append(ready, u)
			delete(t.due, u)
		} else {
			next = earliest(next, at)
		}
	}
	if t.next = instant.Never; !next.IsZero() {
		t.armLocked(next, now)
	}
	return ready
}
