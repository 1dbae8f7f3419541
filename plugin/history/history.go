// Package history remembers races that clients may ask about later: those that ended in a denial or
// a failure, that took long, or in which clients got something else than an upstream's reply. It is
// bounded, has no clock and writes nothing anywhere.
//
// The table has 64 shards, by zone, which is the parent of a name here. A zone takes no more than
// half of its shard: one in which very many names are denied takes its own places, not those of
// others. What is alike, the same name, type and outcome, takes one place, and is counted.
package history

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const shards = 64

// Table remembers races. Its methods may be called from any goroutine.
type Table struct {
	zonesOnly bool
	per       int // places of a shard
	shards    [shards]shard
}

// New returns a table of n races, rounded up so that each shard has as many. With zonesOnly it
// keeps the zones of names alone.
func New(n int, zonesOnly bool) *Table {
	return &Table{zonesOnly: zonesOnly, per: (n + shards - 1) / shards}
}

// shard is a part of the table. The three lists go together.
type shard struct {
	rate  atomic.Uint64 // the second that now counts, and in the low 16 bits how many races were wanted in it
	mu    sync.Mutex
	keys  []uint64 // hashes of what is alike
	zones []uint64 // hashes of zones
	races []*Remembered
	hand  int // the next place to be considered for being replaced
}

var seed = maphash.MakeSeed()

// maxRate is how many races of zones in one shard are remembered in a second. Of more there would
// be no trace a moment later, and to remember one costs several percent of a query.
const maxRate = 100

// Wants reports whether a race of that name that is over now is to be remembered: it is not if
// there were very many in its zone within this second.
func (t *Table) Wants(name []byte, now time.Time) bool {
	if t.per == 0 {
		return false
	}
	rate, second := &t.shards[maphash.Bytes(seed, zoneOf(name))%shards].rate, uint64(now.Unix())<<16
	for {
		old := rate.Load()
		next := old + 1
		if old>>16 != second>>16 {
			next = second | 1
		} else if old&0xffff >= maxRate {
			return false
		}
		if rate.CompareAndSwap(old, next) {
			return true
		}
	}
}

// Add remembers a race. The table keeps r's lists; the caller must not change them afterwards.
func (t *Table) Add(r Race) {
	if t.per == 0 {
		return
	}
	zone := zoneOf(r.Name)
	if t.zonesOnly {
		r.strip()
	}
	zoneHash := maphash.Bytes(seed, zone)
	key := r.key()
	s := &t.shards[zoneHash%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, k := range s.keys {
		if old := s.races[i]; k == key && old.alike(&r) {
			old.wipe()
			old.Race, old.used = r, true
			old.Count++
			return
		}
	}
	m := &Remembered{Race: r, First: r.At, Count: 1}
	i := s.place(zoneHash, t.per)
	if i == len(s.races) {
		s.keys, s.zones, s.races = append(s.keys, key), append(s.zones, zoneHash), append(s.races, m)
		return
	}
	s.races[i].wipe()
	s.keys[i], s.zones[i], s.races[i] = key, zoneHash, m
}

// place is where a race of a zone goes: a new place, or that of one that was not seen again since
// it was last considered (the clock algorithm). A zone that has half of the places, if it has
// several, gives up one of its own.
func (s *shard) place(zone uint64, per int) int {
	own := 0
	for _, z := range s.zones {
		if z == zone {
			own++
		}
	}
	ownAlone := own > 0 && own >= per/2
	if !ownAlone && len(s.races) < per {
		return len(s.races)
	}
	for {
		i := s.hand
		s.hand = (s.hand + 1) % len(s.races)
		if ownAlone && s.zones[i] != zone {
			continue
		}
		if !s.races[i].used {
			return i
		}
		s.races[i].used = false
	}
}

// Late notes a good answer that came when the race of that number was over, so long after it began.
// It reports whether the race is remembered.
func (t *Table) Late(id uint64, name []byte, upstream string, after time.Duration) (found bool) {
	s := &t.shards[maphash.Bytes(seed, zoneOf(name))%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.races {
		if m.ID != id {
			continue
		}
		for i := range m.Legs {
			if l := &m.Legs[i]; l.Upstream == upstream {
				l.lateGood = int32(after / time.Microsecond)
			}
		}
		return true
	}
	return false
}

// Races returns copies of those races for which wanted returns true, the newest first. Wanted must
// not keep the race, nor call the table.
func (t *Table) Races(wanted func(*Remembered) bool) (all []*Remembered) {
	for i := range t.shards {
		all = t.shards[i].append(all, wanted)
	}
	slices.SortFunc(all, func(a, b *Remembered) int { return cmp.Compare(b.ID, a.ID) })
	return all
}

func (s *shard) append(all []*Remembered, wanted func(*Remembered) bool) []*Remembered {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.races {
		if wanted(m) {
			all = append(all, m.clone())
		}
	}
	return all
}

// Forget forgets the races of names for which is returns true, and returns how many. Their bytes
// are overwritten.
func (t *Table) Forget(is func(name []byte) bool) (n int) {
	for i := range t.shards {
		n += t.shards[i].forget(is)
	}
	return n
}

func (s *shard) forget(is func(name []byte) bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 0; i < len(s.races); {
		if !is(s.races[i].Name) {
			i++
			continue
		}
		s.races[i].wipe()
		last := len(s.races) - 1
		s.keys[i], s.zones[i], s.races[i] = s.keys[last], s.zones[last], s.races[last]
		s.races[last] = nil
		s.keys, s.zones, s.races = s.keys[:last], s.zones[:last], s.races[:last]
		n++
	}
	s.hand = 0
	return n
}

// Len is the number of races that are remembered.
func (t *Table) Len() (n int) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		n += len(s.races)
		s.mu.Unlock()
	}
	return n
}
