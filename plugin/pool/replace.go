package pool

import (
	"cmp"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/secure"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// New returns a pool without upstreams.
func New(cfg Config) *Pool {
	p := &Pool{cfg: cfg, ports: cfg.Ports, tidier: upstream.NewTidier(cfg.Ports == nil)}
	p.links.look = p.lookAtLinks
	if p.ports == nil {
		p.ports = ports.New()
		p.clock.UseSystem()
	}
	p.set.Store(newSet(&p.cfg, nil, nil))
	p.cache = p.newCache()
	return p
}

// Replace makes these the upstreams in use, and returns those that are new and those that
// are gone. Those that stay keep their sockets and all that is known about them; those that
// are gone end with their last exchange. Races under way ask those that are new as well. A
// new set begins to learn anew. Replace must not be called by two goroutines at a time.
func (p *Pool) Replace(servers []server.Server) (added, removed []*Member) {
	old := p.Members()
	now, domainsOf := make([]*Member, len(servers)), make([][]string, len(servers))
	for i, s := range servers {
		domainsOf[i] = s.Domains
		at := slices.IndexFunc(old, func(m *Member) bool { return m.Server.Equal(s) })
		if at >= 0 {
			now[i] = old[at]
			if now[i].trust.ofVPN.Swap(s.VPN) != s.VPN { // what it gave may not count any more
				defer func() { p.ended(time.Now()) }()
			}
			continue
		}
		now[i] = p.newMember(s)
		added = append(added, now[i])
	}
	if slices.Equal(now, old) && slices.EqualFunc(domainsOf, p.set.Load().domains, slices.Equal[[]string]) {
		return nil, nil
	}
	p.set.Store(newSet(&p.cfg, now, domainsOf))
	p.calls.changed()
	p.changed(old, now)
	for _, m := range added {
		p.lookAt(m) // again: a change meanwhile did not reach it
	}
	p.links.wanted.Store(slices.ContainsFunc(now, (*Member).onLink))
	for _, m := range old {
		if !slices.Contains(now, m) {
			m.Close()
			removed = append(removed, m)
		}
	}
	return added, removed
}

// warm is how long an encrypted connection is kept open after the last query: opening one
// takes as long as several queries.
const warm = 2 * time.Minute

// newMember is the one place where upstreams are made.
func (p *Pool) newMember(s server.Server) *Member {
	m := &Member{Server: s}
	addr := s.Addr.Addr()
	m.onWay = p.cache != nil && addr.IsValid() && !addr.IsLoopback() && p.cfg.Ports == nil
	m.trust.init(&p.cfg.PrivateFrom, s)
	if p.cfg.Observe != nil {
		m.Observer = p.cfg.Observe(s)
	}
	if p.cfg.Account != nil {
		m.account = p.cfg.Account(s)
	}
	cfg := upstream.Config{
		Addr:     s.Addr,
		Name:     s.String(),
		Timeout:  p.cfg.Rules.Timeout,
		Patience: p.cfg.Patience,
		ForceTCP: p.cfg.ForceTCP,
		Observer: m.Observer,
		Ports:    p.ports,
		Tidier:   p.tidier,
		Dial:     p.cfg.Dial,
	}
	if p.cfg.Ports == nil && (p.cfg.Prefer != option.None || p.cfg.PrivateFrom.IsSet()) { // upstreams are trusted differently: who sees the port of one must not know another's
		cfg.Ports = ports.New()
	}
	if m.Observer != nil && p.cfg.Keeps() {
		cfg.Observer = noticing{m.Observer, p, m}
	}
	cfg.Suspect = m.suspects(p.cfg.Rules.Policy)
	if s.Link != "" {
		cfg.LookAtLink = func() { p.lookAt(m) }
	}
	if s.Transport.Encrypted() {
		cfg.Warm = warm
		id := s.ID
		id.Name = cmp.Or(id.Name, p.cfg.ServerName)
		secure.Use(&cfg, id, p.cfg.TLS, p.bootstrap)
	}
	m.Upstream = upstream.New(cfg)
	p.lookAt(m)
	return m
}

// Close releases all sockets. Queries under way, and later ones, still get their answers.
func (p *Pool) Close() {
	p.links.close()
	for _, m := range p.Members() {
		m.Close()
	}
	p.clock.Close()
	p.tidier.Close()
}
