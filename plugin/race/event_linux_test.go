package race

import (
	"context"
	"testing"
)

// closed reports whether a sleeper's event is closed.
func closed(s *sleeper) bool { return s.event.(*eventfd).raw.Control(func(uintptr) {}) != nil }

// So many sleepers have events, others have none; and all events are closed with the clock, those
// in use when they are given back.
func TestEventsOfClock(t *testing.T) {
	var c Clock
	c.UseSystem()
	var taken []*sleeper
	for range maxEvents {
		taken = append(taken, c.sleeper())
	}
	other := c.sleeper()
	if other.event != nil {
		t.Error("there is an event too many")
	}
	c.release(other)
	for i, s := range taken {
		if s.event == nil {
			t.Fatalf("number %d has no event", i)
		}
		if i > 0 {
			c.release(s)
		}
	}
	if again := c.sleeper(); again.event == nil {
		t.Error("one that was given back is not used again")
	} else {
		c.release(again)
	}
	c.Close()
	for i, s := range taken[1:] {
		if !closed(s) {
			t.Errorf("the event of number %d stays open", i+1)
		}
	}
	inUse := taken[0]
	inUse.wake()
	if inUse.wait(context.Background()); closed(inUse) {
		t.Error("an event in use was closed")
	}
	c.release(inUse)
	if !closed(inUse) {
		t.Error("an event that was in use stays open")
	}
	inUse.wake() // as one that came late: it hits no other descriptor
	if s := c.sleeper(); s.event != nil {
		t.Error("a closed clock opens events")
	}
}
