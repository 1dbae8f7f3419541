package pool

import (
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// links keeps upstreams on their network links. These are watched from the first query on,
// if any upstream has one.
type links struct {
	wanted    atomic.Bool // some upstream has a link
	following atomic.Bool

	mu     sync.Mutex // held while upstreams are told
	stop   func()     // ends the watching; nil: there is none
	closed bool
}

// followLinks starts to watch.
func (p *Pool) followLinks() {
	if p.links.following.Load() || p.links.following.Swap(true) {
		return
	}
	p.lookAtLinks() // much may have changed since they were looked at last
	stop, err := link.Watch(p.lookAtLinks)
	if err != nil && p.cfg.Late != nil {
		p.cfg.Late(err)
	}
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	p.links.stop = stop
	if p.links.closed {
		stop()
	}
}

// lookAtLinks tells upstreams how their links lead to them now.
func (p *Pool) lookAtLinks() {
	for _, m := range p.Members() {
		p.lookAtLink(m)
	}
}

func (p *Pool) lookAtLink(m *Member) {
	if m.Server.Link == "" {
		return
	}
	p.links.mu.Lock()
	defer p.links.mu.Unlock()
	m.Link(link.To(m.Server.Link, m.Server.Addr.Addr()))
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
