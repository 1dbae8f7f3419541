package link

import (
	"fmt"
	"sync"
	"time"
)

const (
	settle = 20 * time.Millisecond // changes come in bursts, of which the end counts as well as the beginning
	rest   = 80 * time.Millisecond // then, where links come and go all the time
	poll   = time.Second           // in place of events
	seldom = 10 * time.Second      // beside them
)

// Watch calls changed whenever links, their addresses or routes may have changed, and now
// and then without reason, one call at a time, until stop is called; that does not wait
// for a call under way, and may be done more than once. The error says that the system
// gives no events; then changed is called once a second.
func Watch(changed func()) (stop func(), err error) {
	next, end, err := events()
	if err != nil {
		return tell(changed, nil, poll, func() {}), fmt.Errorf("interface events unavailable; polling every second: %w", err)
	}
	noted := make(chan struct{}, 1)
	go func() {
		for next() == nil {
			select {
			case noted <- struct{}{}:
			default:
			}
		}
	}()
	return tell(changed, noted, seldom, end), nil
}

// tell calls changed at the first event noted, and again when a burst is over.
func tell(changed func(), noted <-chan struct{}, every time.Duration, end func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		regularly := time.NewTicker(every)
		defer regularly.Stop()
		for {
			select {
			case <-done:
				return
			case <-regularly.C:
			case <-noted:
				changed()
				if !wait(settle, done) {
					return
				}
				changed()
				if !wait(rest, done) {
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

// wait returns false if done is closed before d is over.
func wait(d time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return false
	case <-time.After(d):
		return true
	}
}
