package race

import (
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/poll"
)

// Clock wakes races, up to a tick late. It has one alarm for all of them, which rings when the
// first is to be woken. Nearly all end long before that, so it is seldom moved: one that rings
// too early is set again. Its zero value is ready, and in virtual time as well. A nil Clock has
// a timer for each race, and is exact.
type Clock struct {
	free sleepers

	mu      sync.Mutex
	slots   [slots]*sleeper // lists of those to be woken at a tick, by its number modulo slots
	waiting int             // in the lists
	next    int64           // the lowest number of a tick that may have a list; its last is slots-1 later
	epoch   instant.Time    // of tick 0
	armed   int64           // the tick at which the alarm rings, which is none after the first with a list; 0: it is off
	stopped instant.Time    // when the alarm was last stopped

	system bool       // the alarm is to be the system's
	alarm  poll.Alarm // nil: it was not needed yet
}

const (
	tick  = 4 * time.Millisecond
	slots = 256
)

// stopEvery is how often the alarm is stopped at most when nobody waits any more. Where races
// follow each other more closely, it costs less to let it ring in vain.
const stopEvery = 20 * time.Millisecond

// UseSystem has the clock use an alarm and events of the system itself, where there are such that
// wake less of this process than timers and channels do. It is called before the first race, and
// such a clock is to be closed. It is not for virtual time.
func (c *Clock) UseSystem() {
	c.system = true
	c.free.useEvents()
}

// Close closes the system's alarm and its events. The clock goes on with a timer.
func (c *Clock) Close() {
	c.free.closeEvents()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.system = false
	if c.alarm != nil {
		c.alarm.Close()
	}
}

// sleeper returns one that is not set.
func (c *Clock) sleeper() *sleeper {
	if c == nil {
		return newSleeper(nil)
	}
	return c.free.take()
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
	if c.waiting == 0 && c.armed != 0 {
		c.stopLocked(instant.Now())
	}
	c.mu.Unlock()
	c.free.give(s)
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
	c.moveLocked(now)
	n := min(max(int64(at.Sub(c.epoch)/tick)+1, c.next), c.next+slots-1)
	s.slot = int(n % slots)
	head := &c.slots[s.slot]
	if s.next = *head; s.next != nil {
		s.next.prev = s
	}
	*head = s
	c.waiting++
	if c.armed == 0 || n < c.armed {
		c.armLocked(n)
	}
}

// moveLocked brings the clock's next tick up to the present, or to that of the alarm, which is
// yet to look at its list.
func (c *Clock) moveLocked(now instant.Time) {
	if c.epoch.IsZero() {
		c.epoch, c.next = now, 1
	}
	n := int64(now.Sub(c.epoch) / tick)
	if c.waiting > 0 {
		n = min(n, c.armed)
	}
	c.next = max(c.next, n)
}

// armLocked has the alarm ring at a tick.
func (c *Clock) armLocked(n int64) {
	c.armed = n
	if c.alarm == nil {
		c.alarm = poll.NewAlarm(c.system, c.ring)
	}
	c.alarm.Set(c.epoch.Add(time.Duration(n) * tick))
}

func (c *Clock) stopLocked(now instant.Time) {
	if now.Sub(c.stopped) < stopEvery {
		return
	}
	c.stopped, c.armed = now, 0
	c.alarm.Stop()
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

// ring wakes those whose time has come. It may be called too early.
func (c *Clock) ring() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed = 0; c.waiting == 0 {
		return
	}
	last := int64(instant.Since(c.epoch) / tick)
	for n := c.next; n < c.next+slots; n++ {
		list := &c.slots[n%slots]
		if *list != nil && n > last {
			c.armLocked(n)
			break
		}
		for *list != nil {
			s := *list
			c.unlinkLocked(s)
			s.wake()
		}
	}
}
