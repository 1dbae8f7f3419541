// Package account counts what becomes of races lately: in the last minute, and in the last hour. It
// has no clock.
package account

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// The last minute is counted in spans of 5 s, the last hour in minutes.
const (
	span    = 5 * time.Second
	spans   = 12
	minutes = 60
)

// kinds is how many things one tally counts at most.
const kinds = 8

// Sums are numbers of things, by kind.
type Sums [kinds]int

func (s *Sums) add(o *[kinds]int32) {
	for k, n := range o {
		s[k] += int(n)
	}
}

// Tally counts things of up to eight kinds. The zero value has counted nothing. Its methods may be
// called from any goroutine.
type Tally struct {
	at  atomic.Int64 // the span that now counts, since instants begin
	now [kinds]atomic.Int32

	mu      sync.Mutex
	last    [spans][kinds]int32 // by span
	minutes [minutes][kinds]int32
}

// Add counts n more things of a kind. A nil tally counts nothing.
func (t *Tally) Add(kind int, n int32, now instant.Time) {
	if t == nil {
		return
	}
	if at := spanOf(now); t.at.Load() < at {
		t.roll(at)
	}
	t.now[kind].Add(n)
}

func spanOf(now instant.Time) int64 { return int64(now) / int64(span) }

// roll ends all spans before that one. What is counted meanwhile may be counted in either.
func (t *Tally) roll(at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.at.Load()
	if old >= at {
		return
	}
	var counted [kinds]int32
	for k := range t.now {
		counted[k] = t.now[k].Swap(0)
	}
	if old == 0 { // it has counted nothing
		t.at.Store(at)
		return
	}
	t.last[old%spans] = counted
	minute := &t.minutes[old/spans%minutes]
	for k, n := range counted {
		minute[k] += n
	}
	for empty := max(old+1, at-spans+1); empty <= at; empty++ {
		t.last[empty%spans] = [kinds]int32{}
	}
	for empty := max(old/spans+1, at/spans-minutes+1); empty <= at/spans; empty++ {
		t.minutes[empty%minutes] = [kinds]int32{}
	}
	t.at.Store(at)
}

// Lately is what was counted in the last minute, and in the last hour.
func (t *Tally) Lately(now instant.Time) (minute, hour Sums) {
	if t == nil {
		return minute, hour
	}
	t.roll(spanOf(now))
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.last {
		minute.add(&t.last[i])
	}
	for i := range t.minutes {
		hour.add(&t.minutes[i])
	}
	for k := range t.now {
		n := int(t.now[k].Load())
		minute[k] += n
		hour[k] += n
	}
	return minute, hour
}
