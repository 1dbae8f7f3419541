package knowledge

import (
	"hash/maphash"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table of names: 64 shards of 32 sets, of 4 places each, so 8,192 names. It grows as it
// fills: a name takes 280 bytes and what its own needs, and a shard with names 1 KB. When it is
// full it takes 2.7 MB with usual names, and 4.4 MB with the longest.
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
	sets *[sets]nameSet // nil before the first name
}

// nameSet is the places where a name may be; those that are nil are empty.
type nameSet [ways]*known

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
	for _, k := range s.sets[i] {
		if k != nil && k.name == string(name) {
			return k
		}
	}
	return nil
}

// leastUseful is what is in an empty place, which it fills, or else what has the proofs that
// end first.
func (s *nameSet) leastUseful() *known {
	least := s[0]
	for i, k := range s {
		if k == nil {
			s[i] = new(known)
			return s[i]
		}
		if k.ends() < least.ends() {
			least = k
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
