package link

import (
	"fmt"
	"sync"
	"time"
)

const (
	settle = 20 * time.Millisecond // changes come in bursts, of which the end counts as well as the beginning
	poll   = time.Second           // in place of events
	seldom = 10 * time.Second      // beside them
)

// Watch calls changed whenever links, their addresses or routes may have changed, and now
// and then without reason, one call at a time, until stop is called; that does not wait
// for a call under way, and may be done more than once. The error says that the system
// gives no events; then changed is called once a second.
func Watch(changed func()) (stop func(), err error) {
	wait, end, err := events()
	if err != nil {
		return tell(changed, nil, poll, func() {}), fmt.Errorf("network links are looked at once a second, because the system gives no events: %w", err)
	}
	noted := make(chan struct{}, 1)
	go func() {
		for wait() == nil {
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
				select {
				case <-done:
					return
				case <-time.After(settle):
				}
			}
			changed()
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		end()
	})
}
