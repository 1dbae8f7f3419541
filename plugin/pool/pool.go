// Package pool holds the upstreams in use, and asks them. It is where races meet
// upstreams; CoreDNS is not known here, so the server and the command `explain` ask
// by the same code.
package pool

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/secure"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// warm is how long after the last query an encrypted connection is held open: to
// open one takes as long as some queries.
const warm = 2 * time.Minute

// Pool is the upstreams in use. Its methods may be called from any goroutine.
type Pool struct {
	cfg   Config
	ports *ports.Ports
	clock race.Clock
	set   atomic.Pointer[set] // stored by Replace alone
	calls calls
	links links
}

// New returns a pool without upstreams.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg, ports: ports.New()}
	p.set.Store(newSet(&p.cfg, nil, nil))
	return p
}

// Members returns the upstreams in use, in the order of preference. The list must not
// be changed.
func (p *Pool) Members() []*Member { return p.set.Load().members }

// Replace makes these the upstreams in use, and returns which came and which went.
// Those that stay go on with their sockets and all that is known about them; those
// that went end when their last exchange does. Races under way end by the set that
// they began with. A set that has changed begins to learn anew. It must not be called by
// two goroutines at a time.
func (p *Pool) Replace(servers []server.Server) (added, removed []*Member) {
	old := p.Members()
	now, domainsOf := make([]*Member, len(servers)), make([][]string, len(servers))
	for i, s := range servers {
		domainsOf[i] = s.Domains
		at := slices.IndexFunc(old, func(m *Member) bool { return m.Server.Equal(s) })
		if at >= 0 {
			now[i] = old[at]
			continue
		}
		now[i] = p.newMember(s)
		added = append(added, now[i])
	}
	if slices.Equal(now, old) && slices.EqualFunc(domainsOf, p.set.Load().domains, slices.Equal[[]string]) {
		return nil, nil
	}
	p.set.Store(newSet(&p.cfg, now, domainsOf))
	for _, m := range added {
		p.links.lookAt(m) // once more: it was not seen while it was looked at first
	}
	p.links.wanted.Store(slices.ContainsFunc(now, func(m *Member) bool { return m.Server.Link != "" }))
	for _, m := range old {
		if !slices.Contains(now, m) {
			m.Close()
			removed = append(removed, m)
		}
	}
	return added, removed
}

// Close lets go of all sockets. Queries under way get their answers, and so do those
// that still come.
func (p *Pool) Close() {
	p.links.close()
	for _, m := range p.Members() {
		m.Close()
	}
}

// newMember is the one place where upstreams are made.
func (p *Pool) newMember(s server.Server) *Member {
	m := &Member{Server: s}
	if p.cfg.Observe != nil {
		m.Observer = p.cfg.Observe(s)
	}
	cfg := upstream.Config{
		Addr:     s.Addr,
		Name:     s.String(),
		Timeout:  p.cfg.Rules.Timeout,
		Patience: p.cfg.Patience,
		ForceTCP: p.cfg.ForceTCP,
		Observer: m.Observer,
		Ports:    p.ports,
	}
	if m.Observer != nil && p.cfg.Learns() {
		cfg.Observer = noticing{m.Observer, p.returned}
	}
	if policy := p.cfg.Rules.Policy; len(policy.Bogus) > 0 {
		cfg.Suspect = func(reply []byte) bool { return race.Judge(reply, policy) == race.Bogus }
	}
	if s.Transport.Encrypted() {
		cfg.Warm = warm
		id := s.ID
		id.Name = cmp.Or(id.Name, p.cfg.ServerName)
		secure.Use(&cfg, id, p.cfg.TLS, p.bootstrap)
	}
	m.Upstream = upstream.New(cfg)
	p.links.lookAt(m)
	return m
}

// returned notes that an upstream is back, so that what was learned meanwhile is seen anew.
func (p *Pool) returned() {
	for _, z := range p.set.Load().allZones() {
		z.Returned(time.Now())
	}
}

// KnownZones is how many zones something is known of.
func (p *Pool) KnownZones() (n int) {
	for _, z := range p.set.Load().allZones() {
		n += z.Len()
	}
	return n
}

// lookAtLinks tells upstreams how their links lead to them now.
func (p *Pool) lookAtLinks() {
	for _, m := range p.Members() {
		p.links.lookAt(m)
	}
}
