package control

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Memory is what is remembered of a server block. It outlives a reload.
type Memory struct {
	Races  account.Tally // by how they ended
	Events Hub

	history   atomic.Pointer[history.Table]
	size      int // of history
	zonesOnly bool

	mu        sync.Mutex
	upstreams map[string]*account.Upstream
}

// History has the races that are remembered. A reload with other bounds begins another one.
func (m *Memory) History() *history.Table { return m.history.Load() }

// Upstream is where it is counted what becomes of an upstream's part in races.
func (m *Memory) Upstream(s server.Server) *account.Upstream {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.upstreams[s.String()]
	if u == nil {
		u = new(account.Upstream)
		m.upstreams[s.String()] = u
	}
	u.Begins(time.Now())
	return u
}

// keepOnly forgets upstreams that are not in use any more.
func (m *Memory) keepOnly(members []*pool.Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.upstreams, func(name string, _ *account.Upstream) bool {
		return !slices.ContainsFunc(members, func(o *pool.Member) bool { return o.String() == name })
	})
}
