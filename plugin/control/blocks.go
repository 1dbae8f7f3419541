package control

import (
	"net/http"
	"slices"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

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

// names lists the names of all blocks.
func (s *Socket) names() (names []string) {
	for _, b := range s.use("") {
		names = append(names, b.Name)
	}
	return names
}
