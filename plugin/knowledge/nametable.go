package knowledge

import (
	"hash/maphash"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table of names: a name is in one of few places, so that it is found at once. With 464
// bytes a place it takes 3.8 MB when it is full, and a shard of it that nothing has
// come to takes none.
const (
	shards = 64
	sets   = 32 // in a shard
	ways   = 4  // in a set: places that a name may have
)

type nameTable struct {
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex
	sets []nameSet // empty before the first name
}

// nameSet is the places that a name may have.
type nameSet [ways]known

var seed = maphash.MakeSeed()

// place is where a name may be: a shard, and a set in it.
func (t *nameTable) place(name []byte) (s *shard, i int) {
	hash := maphash.Bytes(seed, name)
	return &t.shards[hash%shards], int(hash / shards % sets)
}

// find returns what is known of a name whose place is set i, or nil.
func (s *shard) find(i int, name []byte) *known {
	if s.sets == nil {
		return nil
	}
	set := &s.sets[i]
	for j := range set {
		if k := &set[j]; string(k.name[:k.size]) == string(name) {
			return k
		}
	}
	return nil
}

// leastUseful is the place of which the proofs end first.
func (s *nameSet) leastUseful() *known {
	least := &s[0]
	for i := range s {
		if s[i].ends() < least.ends() {
			least = &s[i]
		}
	}
	return least
}

// with calls f with what is known of the name of a question, if there is that.
func (t *nameTable) with(question []byte, f func(*known)) {
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	s, i := t.place(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.find(i, name); k != nil {
		f(k)
	}
}
