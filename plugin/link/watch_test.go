package link

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Beside events interfaces are looked at once a minute. If there are no more of them it is
// once a second.
func TestNotify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		noted := make(chan struct{}, 1)
		stop := notify(func() { calls.Add(1) }, noted, slowPoll, func() {})
		for _, step := range []struct {
			what   string
			do     func()
			during time.Duration
			calls  int32
		}{
			{"nothing happens", func() {}, 5*time.Minute + time.Second, 5},
			{"an event", func() { noted <- struct{}{} }, 10 * time.Second, 2},
			{"no more events", func() { close(noted) }, 10*time.Second + time.Millisecond, 10},
			{"stopped", func() { stop(); stop() }, 10 * time.Minute, 0},
		} {
			calls.Store(0)
			step.do()
			time.Sleep(step.during)
			synctest.Wait()
			if got := calls.Load(); got != step.calls {
				t.Errorf("%s: %d calls, want %d", step.what, got, step.calls)
			}
		}
	})
}
