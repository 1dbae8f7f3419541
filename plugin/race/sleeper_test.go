package race

import (
	"context"
	"sync"
	"testing"
	"time"
)

// sleeperKinds are those with channels, and those with events where the system has such.
func sleeperKinds(t *testing.T) map[string]*sleepers {
	withEvents := new(sleepers)
	withEvents.useEvents()
	t.Cleanup(withEvents.closeEvents)
	return map[string]*sleepers{"channel": new(sleepers), "event": withEvents}
}

// A sleeper that is woken wakes, whether it sleeps yet or not, and however often it is woken.
func TestSleeper(t *testing.T) {
	for what, all := range sleeperKinds(t) {
		t.Run(what, func(t *testing.T) {
			s := all.take()
			defer all.give(s)
			s.wake()
			s.wake()
			if s.wait(context.Background()) {
				t.Error("nobody ended the context")
			}
			s.wake()
			s.forget()
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(10*ms, cancel)
			for !s.wait(ctx) { // it may wake for no reason
				if ctx.Err() == nil {
					t.Error("it was woken, though that was to be forgotten")
				}
			}
			if !s.wait(ctx) {
				t.Error("it sleeps though its context has ended")
			}
		})
	}
}

// Two that wake each other, again and again, never both sleep; nor does one that many wake.
func TestSleepersWakeEachOther(t *testing.T) {
	for what, all := range sleeperKinds(t) {
		t.Run(what, func(t *testing.T) {
			a, b := all.take(), all.take()
			defer all.give(a)
			defer all.give(b)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			const times = 2000
			var both sync.WaitGroup
			both.Go(func() {
				for i := range times {
					if a.wait(ctx) {
						t.Errorf("a slept on after %d times", i)
						return
					}
					b.wake()
				}
			})
			both.Go(func() {
				for i := range times {
					a.wake()
					if b.wait(ctx) {
						t.Errorf("b slept on after %d times", i)
						return
					}
				}
			})
			both.Wait()
		})
	}
}
