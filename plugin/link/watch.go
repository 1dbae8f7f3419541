package link

import (
	"fmt"
	"sync"
	"time"
)

const (
	burst    = 20 * time.Millisecond // that changes come in: its end counts as well as its beginning
	pause    = 80 * time.Millisecond // after a burst, where interfaces come and go all the time
	fastPoll = time.Second           // instead of events
	slowPoll = time.Minute           // beside events, of which none is known to be missing
)

// Watch calls changed whenever interfaces, their addresses or routes may have changed, and
// now and then without reason, one call at a time, until stop is called. That does not wait
// for a call under way, and may be done more than once. The error says that the system
// gives no events; then changed is called once a second.
func Watch(changed func()) (stop func(), err error) {
	next, end, err := events()
	if err != nil {
		return notify(changed, nil, fastPoll, func() {}), fmt.Errorf("interface events unavailable: %w; polling every second", err)
	}
	noted := make(chan struct{}, 1)
	go func() {
		defer close(noted)
		for next() == nil {
			select {
			case noted <- struct{}{}:
			default:
			}
		}
	}()
	return notify(changed, noted, slowPoll, end), nil
}

// notify calls changed at the first event of a burst, again when that is over, and at
// every tick. When there will be no more events it calls changed once a second.
func notify(changed func(), noted <-chan struct{}, every time.Duration, end func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticks := time.NewTicker(every)
		defer ticks.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticks.C:
			case _, ok := <-noted:
				if !ok {
					noted = nil
					ticks.Reset(fastPoll)
					continue
				}
				changed()
				if !wait(burst, done) {
					return
				}
				changed()
				if !wait(pause, done) {
					return
				}
				continue
			}
			changed()
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		end()
	})
}

// wait waits for d. It returns false, at once, if done is closed.
func wait(d time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-time.After(d):
		return true
	}
}
