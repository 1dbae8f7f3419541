package knowledge

import (
	"hash/maphash"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table of names: 64 shards of 32 sets, of 4 places each, so 8,192 names. With 472 bytes
// a place it takes 3.9 MB when it is full; an empty shard takes nothing.
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

// nameSet is the places where a name may be.
type nameSet [ways]known

var seed = maphash.MakeSeed()

// place is the shard of a name, and its set there.
func (t *nameTable) place(name []byte) (s *shard, i int) {
	hash := maphash.Bytes(seed, name)
	return &t.shards[hash%shards], int(hash / shards % sets)
}

// find returns what is known of a name in set i, or nil.
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

// leastUseful is the place whose proofs end first.
func (s *nameSet) leastUseful() *known {
	least := &s[0]
	for i := range s {
		if s[i].ends() < least.ends() {
			least = &s[i]
		}
	}
	return least
}

// with calls f with what is known of the name of a question, if anything is.
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
