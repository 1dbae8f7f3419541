package pool

import (
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// noticing is an observer that notices when an upstream falls silent or returns.
type noticing struct {
	upstream.Observer
	pool   *Pool
	member *Member
}

// Down implements upstream.Observer.
func (n noticing) Down(turn uint64, silence time.Duration, unanswered int) {
	n.pool.fell(n.member)
	n.member.account.Changes(turn, time.Now())
	n.Observer.Down(turn, silence, unanswered)
}

// Up implements upstream.Observer.
func (n noticing) Up(turn uint64, after time.Duration) {
	n.pool.returned(n.member)
	n.member.account.Changes(turn, time.Now())
	n.Observer.Up(turn, after)
}

// Link implements upstream.Observer.
func (n noticing) Link(state link.State, turn uint64) {
	if turn > 0 && state != link.Gone {
		n.pool.returned(n.member)
	}
	n.member.account.Changes(turn, time.Now())
	n.Observer.Link(state, turn)
}

// Failed implements upstream.Observer.
func (n noticing) Failed(err error) {
	n.member.account.Fail(err, time.Now())
	n.Observer.Failed(err)
}

// lookAt looks how an upstream is reached now. In another way another network may be reached:
// what was kept ends.
func (p *Pool) lookAt(m *Member) {
	switch way, changed := p.links.lookAt(m); {
	case !changed:
	case way == link.Way{}:
		p.fell(m)
	default:
		p.returned(m)
		p.ended(time.Now())
	}
}

// lookAtLinks tells all upstreams how their interfaces lead to them now.
func (p *Pool) lookAtLinks() {
	for _, m := range p.Members() {
		p.lookAt(m)
	}
}

// fell notes that an upstream does not reply any more. While none else does, what is kept is
// better than nothing.
func (p *Pool) fell(m *Member) {
	others := func(o *Member) bool { return o != m && o.Up(nil) }
	if p.cache != nil && slices.ContainsFunc(p.Members(), others) {
		p.cache.Fell(m, time.Now())
	}
}

// returned notes that an upstream is back, so that all are asked again in each zone.
func (p *Pool) returned(m *Member) {
	now := time.Now()
	p.lately.forget(now)
	for _, z := range p.set.Load().allZones() {
		z.Returned(now)
	}
	if p.cache != nil {
		p.cache.Returned(m, now)
	}
}

// changed notes that these upstreams were replaced by those.
func (p *Pool) changed(old, by []*Member) {
	now := time.Now()
	for _, m := range old {
		if !slices.Contains(by, m) {
			m.left.Store(&now)
		}
	}
	p.ended(now)
}

// ended notes that upstreams may be others, or are reached in another way: what was kept of
// them ends.
func (p *Pool) ended(now time.Time) {
	p.lately.forget(now)
	if p.cache != nil {
		p.cache.Changed(now)
	}
}
