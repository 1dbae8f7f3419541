package upstream

import (
	"sync"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/poll"
)

// Tidier has upstreams do what is due at whole seconds, all with one alarm and in one goroutine: so
// few threads wake for that.
type Tidier struct {
	mu     sync.Mutex
	due    map[*Upstream]instant.Time
	next   instant.Time // when the alarm rings; zero: it is off
	system bool         // the alarm is to be the system's
	alarm  poll.Alarm   // nil: it was not needed yet
}

// NewTidier returns one with an alarm that is made when it is needed: the system's if that is wanted,
// which is not for virtual time.
func NewTidier(system bool) *Tidier {
	return &Tidier{due: make(map[*Upstream]instant.Time), system: system}
}

// Close closes the system's alarm. The tidier goes on with a timer.
func (t *Tidier) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.system = false
	if t.alarm != nil {
		t.alarm.Close()
	}
}

// set has the upstream tidied at a time; zero is never.
func (t *Tidier) set(u *Upstream, at instant.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at.IsZero() {
		delete(t.due, u)
		return
	}
	t.due[u] = at
	if t.next.IsZero() || at.Before(t.next) {
		t.armLocked(at)
	}
}

func (t *Tidier) armLocked(at instant.Time) {
	if t.alarm == nil {
		t.alarm = poll.NewAlarm(t.system, t.ring)
	}
	t.next = at
	t.alarm.Set(at)
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
		t.armLocked(next)
	}
	return ready
}
