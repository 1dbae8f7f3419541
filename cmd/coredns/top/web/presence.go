package web

import (
	"sync"
	"time"
)

// presence knows whether somebody looks at the page: as long as a request of one is under way, which
// that for events nearly always is.
type presence struct {
	after time.Duration

	mu    sync.Mutex
	now   int // requests
	timer *time.Timer
	over  bool // nobody has looked for too long
}

// newPresence calls leave once when nobody has looked for so long.
func newPresence(after time.Duration, leave func()) *presence {
	p := &presence{after: after}
	p.timer = time.AfterFunc(after, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.now == 0 {
			p.over = true
			leave()
		}
	})
	return p
}

// begins notes that somebody looks, until ends is called.
func (p *presence) begins() (ends func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now++
	p.timer.Stop()
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.now--; p.now == 0 {
			p.timer.Reset(p.after)
		}
	}
}

// end stops counting, and reports whether nobody has looked for too long.
func (p *presence) end() (over bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	return p.over
}
