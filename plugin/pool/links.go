package pool

import (
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// links keeps upstreams up to date on their network interfaces, which are watched from the
// first query on, if they matter to any upstream.
type links struct {
	look     func()      // looks at those of all upstreams
	wanted   atomic.Bool // it matters over which interface some upstream is reached
	watching atomic.Bool

	mu     sync.Mutex // held while an upstream is told
	stop   func()     // ends the watching; nil: there is none
	closed bool
}

// watch looks at all upstreams' links, and does so whenever an interface may have changed, unless
// it does so already or they matter to none. It returns why changes are noticed late, if they are.
func (l *links) watch() error {
	if !l.wanted.Load() || l.watching.Load() || l.watching.Swap(true) {
		return nil
	}
	l.look() // much may have changed since the last time
	stop, err := link.Watch(l.look)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop = stop
	if l.closed {
		stop()
	}
	return err
}

// lookAt tells an upstream how its interface leads to it now. It returns how packets leave for
// the upstream, if that matters and is not as it was at the last look.
func (l *links) lookAt(m *Member) (now link.Way, changed bool) {
	if !m.onLink() {
		return now, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	addr, index, state := m.Server.Addr.Addr(), uint32(0), link.Unbound
	if m.Server.Link != "" {
		var foundOut bool
		if index, state, foundOut = link.Look(m.Server.Link, addr); !foundOut {
			return now, false // so far as is known it is as it was
		}
		m.Link(index, state)
	}
	m.trust.lookAt(m.Server)
	if !m.onWay {
		return now, false
	}
	if state != link.Gone {
		var foundOut bool
		if now, foundOut = link.WayTo(addr, index); !foundOut {
			return now, false
		}
	}
	before := m.way
	m.way = &now
	return now, before != nil && *before != now
}

// close ends the watching.
func (l *links) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.stop != nil {
		l.stop()
	}
}
