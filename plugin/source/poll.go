//go:build darwin || windows

package source

import (
	"sync"
	"time"
)

// pollEvery is how soon a change is noticed that has no event.
const pollEvery = 4 * time.Second

// polled is a [Watcher] that only polls.
type polled struct {
	name string // for people
	read func() (Reading, error)
}

// String implements [Source].
func (p *polled) String() string { return p.name }

// Read implements [Source].
func (p *polled) Read() (Reading, error) { return p.read() }

// Watch implements [Watcher].
func (p *polled) Watch(changed func()) (stop func(), err error) {
	done := make(chan struct{})
	go func() {
		poll := time.NewTicker(pollEvery)
		defer poll.Stop()
		for {
			changed()
			select {
			case <-done:
				return
			case <-poll.C:
			}
		}
	}()
	return sync.OnceFunc(func() { close(done) }), nil
}
