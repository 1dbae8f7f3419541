// Package knowledge holds what replies have taught: which names exist, and who knows
// which zone. It is pure: it hears replies and answers questions, in tables of fixed
// size, and knows nothing of sockets.
package knowledge

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table: a name is in one of few places, so that it is found at once. With 464
// bytes a place it takes 3.8 MB when it is full, and a shard of it that nothing has
// come to takes none.
const (
	shards = 64
	sets   = 32 // in a shard
	ways   = 4  // in a set: places that a name may have
)

// How long a proof lives at the least and at the most.
const (
	minLife = time.Second
	maxLife = time.Hour
)

// Names knows of some names that they exist, and who has said so (R18). Its zero value
// knows of none. Its methods may be called from any goroutine.
type Names struct {
	shards [shards]shard
}

type shard struct {
	mu   sync.Mutex
	sets []set // empty before the first name
}

type set [ways]known

// known is a name, in lower case as on the wire, and what proves that it exists.
type known struct {
	proofs  [2]proof   // of two types, so that one is of another type than any that is asked for
	view    proof      // whose answer a client was given
	denials [3]denials // of the name, and of two types
	size    uint8
	name    [255]byte // RFC 1035, section 2.3.4
}

// proof is that a name was found by an upstream, when asked for a type. The zero proof
// is none.
type proof struct {
	ends  instant
	by    int32
	qtype uint16
}

// instant is a time on two clocks. Nobody may set the one, and the other goes on while
// the machine sleeps; a life is over when it is over on either.
type instant struct {
	ran  time.Duration // since epoch
	wall int64         // in ns since 1970
}

var (
	epoch = time.Now()
	seed  = maphash.MakeSeed()
)

func instantOf(now time.Time) instant { return instant{now.Sub(epoch), now.UnixNano()} }

func (i instant) add(d time.Duration) instant { return instant{i.ran + d, i.wall + int64(d)} }

// before reports whether i is before end on both clocks.
func (i instant) before(end instant) bool { return i.ran < end.ran && i.wall < end.wall }

func (p *proof) alive(now instant) bool { return now.before(p.ends) }

// Heard takes a reply, and its verdict, that an upstream gave to a question as returned
// by [wire.Question]. A good answer or NODATA with SOA proves that the name exists
// while a cache would keep it, though at most for an hour; a denial by the same
// upstream ends that. Upstreams are told apart by a number of the caller's choice.
func (n *Names) Heard(question []byte, by int, verdict race.Verdict, reply []byte, now time.Time) {
	switch verdict {
	case race.Good, race.NoDataSOA:
		if life, ok := lifetime(reply, verdict); ok {
			now := instantOf(now)
			n.learn(question, proof{now.add(life), int32(by), wire.QuestionType(question)}, now)
		}
	case race.NXDomain, race.NXDomainSOA:
		n.unlearn(question, int32(by))
	}
}

// Exists reports whether the name of a question is proven to exist by what an upstream
// said of another type than the one asked for.
func (n *Names) Exists(question []byte, now time.Time) bool {
	at, qtype := instantOf(now), wire.QuestionType(question)
	exists := false
	n.with(question, func(k *known) {
		for j := range k.proofs {
			p := &k.proofs[j]
			exists = exists || p.qtype != qtype && p.alive(at)
		}
	})
	return exists
}

func (n *Names) learn(question []byte, p proof, now instant) {
	var buf [255]byte
	name := wire.AppendName(buf[:0], question)
	s, i := n.place(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.find(i, name)
	if k == nil {
		if s.sets == nil {
			s.sets = make([]set, sets)
		}
		k = s.sets[i].leastUseful()
		k.size = uint8(copy(k.name[:], name))
		k.proofs, k.view, k.denials = [2]proof{}, proof{}, [3]denials{}
	}
	k.found(int(p.by), p.qtype)
	k.add(p, now)
}

func (n *Names) unlearn(question []byte, by int32) {
	n.with(question, func(k *known) {
		for j := range k.proofs {
			if k.proofs[j].by == by {
				k.proofs[j] = proof{}
			}
		}
		if k.view.by == by {
			k.view = proof{}
		}
	})
}

// add takes a proof: in place of one of its type, if there is that, else of the one
// that ends first. One that ends later stays, unless the same upstream has come to say
// something else.
func (k *known) add(p proof, now instant) {
	first := &k.proofs[0]
	for i := range k.proofs {
		old := &k.proofs[i]
		if old.qtype == p.qtype && old.alive(now) {
			if old.by == p.by || old.ends.ran < p.ends.ran {
				*old = p
			}
			return
		}
		if old.ends.ran < first.ends.ran {
			first = old
		}
	}
	if !first.alive(now) || first.ends.ran < p.ends.ran {
		*first = p
	}
}

// ends is when the last proof does.
func (k *known) ends() time.Duration { return max(k.proofs[0].ends.ran, k.proofs[1].ends.ran) }

// place is where a name may be: a shard, and a set in it.
func (n *Names) place(name []byte) (s *shard, i int) {
	hash := maphash.Bytes(seed, name)
	return &n.shards[hash%shards], int(hash / shards % sets)
}

// find returns what is known of a name whose place is set i, or nil.
func (s *shard) find(i int, name []byte) *known {
	if s.sets == nil {
		return nil
	}
	places := &s.sets[i]
	for j := range places {
		if k := &places[j]; string(k.name[:k.size]) == string(name) {
			return k
		}
	}
	return nil
}

// leastUseful is the place of which the proofs end first.
func (s *set) leastUseful() *known {
	least := &s[0]
	for i := range s {
		if s[i].ends() < least.ends() {
			least = &s[i]
		}
	}
	return least
}

// lifetime is how long a reply proves that its name exists: an answer by its least TTL,
// NODATA by its SOA (RFC 2308, section 5). It is none for a reply that is cut short.
func lifetime(reply []byte, verdict race.Verdict) (life time.Duration, ok bool) {
	least := uint32(maxLife / time.Second)
	err := wire.Records(reply, func(r wire.Record) bool {
		ttl := r.TTL
		switch {
		case verdict == race.Good && r.Section != wire.Answer, r.Section == wire.Additional:
			return false
		case verdict == race.NoDataSOA && r.Type != dns.TypeSOA:
			return true
		case verdict == race.NoDataSOA && len(r.Data) >= 4: // its last field is MINIMUM
			ttl = min(ttl, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:]))
		}
		if ttl > 1<<31-1 { // RFC 2181, section 8
			ttl = 0
		}
		least = min(least, ttl)
		return true
	})
	return max(minLife, time.Duration(least)*time.Second), err == nil
}
