package race

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Clock wakes races, up to a tick late. It has one timer for all of them, which runs only
// while some wait; nearly all end long before they have to be woken. Its zero value is
// ready. A nil Clock has a timer for each race, and is exact.
type Clock struct {
	sleepers sync.Pool // of *sleeper

	mu      sync.Mutex
	slots   [slots]*sleeper // lists of those to be woken at a tick, by its number modulo slots
	waiting int             // in the lists
	next    int64           // the number of the tick to come
	epoch   instant.Time    // of tick 0
	timer   *time.Timer     // nil: it was not needed yet
}

const (
	tick  = 4 * time.Millisecond
	slots = 256
)

// sleeper is what the goroutine of a race sleeps on. It may wake for no reason.
type sleeper struct {
	woken chan struct{}

	// Guarded by the clock's mu.
	slot       int // of a list; -1: in none
	prev, next *sleeper

	timer *time.Timer // without a clock; nil: it was not needed yet
}

func (s *sleeper) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// sleeper returns one that is not set.
func (c *Clock) sleeper() *sleeper {
	if c == nil {
		return &sleeper{woken: make(chan struct{}, 1)}
	}
	if s, ok := c.sleepers.Get().(*sleeper); ok {
		return s
	}
	return &sleeper{woken: make(chan struct{}, 1), slot: -1}
}

// release takes a sleeper back. Only the clock may wake it by then.
func (c *Clock) release(s *sleeper) {
	if c == nil {
		if s.timer != nil {
			s.timer.Stop()
		}
		return
	}
	c.mu.Lock()
	c.unlinkLocked(s)
	c.mu.Unlock()
	select {
	case <-s.woken:
	default:
	}
	c.sleepers.Put(s)
}

// set wakes s at a time, or earlier if that is far away.
func (c *Clock) set(s *sleeper, now, at instant.Time) {
	if c == nil {
		if s.timer == nil {
			s.timer = time.AfterFunc(at.Sub(now), s.wake)
		} else {
			s.timer.Reset(at.Sub(now))
		}
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unlinkLocked(s)
	if c.waiting == 0 {
		c.startLocked(now)
	}
	n := min(max(int64(at.Sub(c.epoch)/tick)+1, c.next), c.next+slots-1)
	s.slot = int(n % slots)
	head := &c.slots[s.slot]
	if s.next = *head; s.next != nil {
		s.next.prev = s
	}
	*head = s
	c.waiting++
}

func (c *Clock) startLocked(now instant.Time) {
	c.epoch, c.next = now, 1
	if c.timer == nil {
		c.timer = time.AfterFunc(tick, c.tick)
	} else {
		c.timer.Reset(tick)
	}
}

func (c *Clock) unlinkLocked(s *sleeper) {
	if s.slot < 0 {
		return
	}
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		c.slots[s.slot] = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.slot, s.prev, s.next = -1, nil, nil
	c.waiting--
}

// tick wakes those whose time has come.
func (c *Clock) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := int64(instant.Since(c.epoch) / tick)
	if now-c.next >= slots { // this process was stopped
		c.next = now - slots + 1
	}
	for ; c.next <= now; c.next++ {
		for s := c.slots[c.next%slots]; s != nil; s = c.slots[c.next%slots] {
			c.unlinkLocked(s)
			s.wake()
		}
	}
	if c.waiting > 0 {
		c.timer.Reset(tick)
	}
}
