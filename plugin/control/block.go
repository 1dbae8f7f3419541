package control

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Block is a server block with dnsmus, as the socket tells of it.
type Block struct {
	Name     string   // that others of the socket do not have
	Listens  []string // as in [api.Server]
	Zones    []string
	InFront  bool     // the plugin cache stands before dnsmus
	Before   []string // other plugins that do, and may answer
	Values   *option.Values
	ToldBy   func(server.Server) []string // the sources that name an upstream
	Unusable func() []string              // says which sources cannot be used now, and why; nil: there are none
	Failing  func(*pool.Member) time.Time // since when queries to it end with errors; zero: the last did not
	Pool     *pool.Pool
	Memory   *Memory
}

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

// Memory returns what is remembered of the block of that name: n races, or only the zones of their
// names.
func (s *Socket) Memory(name string, n int, zonesOnly bool) *Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.memories[name]
	if m == nil {
		m = &Memory{upstreams: make(map[string]*account.Upstream)}
		s.memories[name] = m
	}
	if m.history.Load() == nil || m.size != n || m.zonesOnly != zonesOnly {
		m.history.Store(history.New(n, zonesOnly))
		m.size, m.zonesOnly = n, zonesOnly
	}
	return m
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

// Replaced notes that a block has other upstreams now.
func (b *Block) Replaced(added, removed []string) {
	b.Memory.keepOnly(b.Pool.Members())
	if b.Memory.Events.Awake() {
		b.Memory.Events.Publish(api.ListEvent{
			Event:     api.Event{Event: api.EventList, At: time.Now().UTC(), Server: b.Name},
			Upstreams: list(b.upstreams()), Added: list(added), Removed: list(removed),
		})
	}
}

// list is a list that is never null.
func list(l []string) []string {
	if l == nil {
		return []string{}
	}
	return l
}

// Join adds a block. At a reload it takes the place of the one of its name, which leaves later.
func (s *Socket) Join(b *Block) (leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks = append(s.blocks, b)
	return sync.OnceFunc(func() {
		if by := s.part(b); by != nil {
			by.follows(b)
		}
	})
}

// part takes a block off the socket, and returns the one that has taken its place; nil: none has.
func (s *Socket) part(b *Block) (by *Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.blocks, b)
	for i, o := range s.blocks {
		if i > at && o.Name == b.Name {
			by = o
		}
	}
	s.blocks = slices.Delete(s.blocks, at, at+1)
	if !slices.ContainsFunc(s.blocks, func(o *Block) bool { return o.Name == b.Name }) {
		delete(s.memories, b.Name)
	}
	return by
}

// follows notes that a block has taken the place of another, which may have had other upstreams.
func (b *Block) follows(old *Block) {
	now, before := b.upstreams(), old.upstreams()
	without := func(all, those []string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(those, name) })
	}
	if added, removed := without(now, before), without(before, now); len(added)+len(removed) > 0 {
		b.Replaced(added, removed)
	}
}

// upstreams are the names of a block's upstreams.
func (b *Block) upstreams() (names []string) {
	for _, m := range b.Pool.Members() {
		names = append(names, m.String())
	}
	return names
}

// use are the blocks in use, those of a name that a request gives, or all.
func (s *Socket) use(name string) (all []*Block) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, b := range s.blocks {
		later := slices.ContainsFunc(s.blocks[i+1:], func(o *Block) bool { return o.Name == b.Name })
		if !later && (name == "" || b.is(name)) {
			all = append(all, b)
		}
	}
	return all
}

// meant are the blocks that a request is about, as [Socket.use] finds them. If there is none, the
// request fails.
func (s *Socket) meant(w http.ResponseWriter, name string) []*Block {
	blocks := s.use(name)
	switch {
	case len(blocks) > 0:
	case name == "":
		fail(w, http.StatusServiceUnavailable, "no server block has begun yet; ask again in a moment")
	default:
		fail(w, http.StatusNotFound, "no server block listens on %s, but on %s", name, printable.And(s.names()))
	}
	return blocks
}

// is reports whether a block is meant by a name: its own, or where it listens.
func (b *Block) is(name string) bool {
	return strings.EqualFold(b.Name, name) || slices.Contains(b.Listens, name)
}

// names lists the names of all blocks.
func (s *Socket) names() (names []string) {
	for _, b := range s.use("") {
		names = append(names, b.Name)
	}
	return names
}
