package ports

import (
	"crypto/rand"
	"encoding/binary"
	"iter"
	"slices"
)

// maxIDs is how many ids of a table are in use at most: a quarter of all, so that a free
// one is soon drawn.
const maxIDs = 1 << 14

// Table holds what waits for a reply on one socket or stream, by id. The low bits of an id
// are its place; an id whose place is taken counts as taken. Its zero value is empty.
type Table[T any] struct {
	entries []entry[T] // as many as a power of two, at least four times those in use
	n       int
}

type entry[T any] struct {
	x  *T // nil: free
	id uint16
}

const leastEntries = 64

// Len is how many ids are in use.
func (t *Table[T]) Len() int { return t.n }

// Full reports whether no more may be added.
func (t *Table[T]) Full() bool { return t.n >= maxIDs }

// at returns the place of an id. There must be places.
func (t *Table[T]) at(id uint16) *entry[T] { return &t.entries[int(id)&(len(t.entries)-1)] }

// Get returns what waits with that id, or nil.
func (t *Table[T]) Get(id uint16) *T {
	if t.n == 0 {
		return nil
	}
	if e := t.at(id); e.id == id {
		return e.x
	}
	return nil
}

// Remove takes out what waits with that id, if there is anything, and returns it.
func (t *Table[T]) Remove(id uint16) *T {
	x := t.Get(id)
	if x != nil {
		t.at(id).x = nil
		t.n--
	}
	return x
}

// All yields what is in the table, which may be taken out meanwhile.
func (t *Table[T]) All() iter.Seq2[uint16, *T] {
	return func(yield func(uint16, *T) bool) {
		for i := range t.entries {
			if t.n == 0 {
				return
			}
			if e := t.entries[i]; e.x != nil && !yield(e.id, e.x) {
				return
			}
		}
	}
}

// Add enters x under a free id, drawn at random. The table must not be full.
func (t *Table[T]) Add(x *T, random *Random) uint16 {
	if 4*(t.n+1) > len(t.entries) && len(t.entries) < 1<<16 {
		t.grow()
	}
	for {
		id := random.Uint16()
		if e := t.at(id); e.x == nil {
			*e = entry[T]{x, id}
			t.n++
			return id
		}
	}
}

func (t *Table[T]) grow() {
	old := t.entries
	t.entries = make([]entry[T], max(2*len(old), leastEntries))
	for _, e := range old {
		if e.x != nil {
			*t.at(e.id) = e
		}
	}
}

// Random draws numbers that cannot be predicted. It fetches many at a time, since each
// race needs several.
type Random struct {
	buf  [1024]byte
	left []byte
}

// Fill fetches numbers if few are left. Readers of sockets call it, for their goroutines
// have the stack that it needs; a query's would have to grow for it.
func (r *Random) Fill() {
	if len(r.left) < len(r.buf)/2 {
		rand.Read(r.buf[:]) // never fails
		r.left = r.buf[:]
	}
}

// Uint16 draws one.
func (r *Random) Uint16() uint16 {
	if len(r.left) == 0 {
		r.Fill()
	}
	n := binary.NativeEndian.Uint16(r.left)
	r.left = r.left[2:]
	return n
}

// IDs is a set of ids. Its zero value is empty, and takes little while there are few.
type IDs struct {
	few  []uint16
	bits *[1 << 16 / 64]uint64 // nil: all are in few
}

// fewIDs is how many are kept one by one.
const fewIDs = 64

// Add adds an id.
func (s *IDs) Add(id uint16) {
	if s.bits == nil {
		if len(s.few) < fewIDs {
			s.few = append(s.few, id)
			return
		}
		s.bits = new([1 << 16 / 64]uint64)
		for _, id := range s.few {
			s.bits[id/64] |= 1 << (id % 64)
		}
		s.few = nil
	}
	s.bits[id/64] |= 1 << (id % 64)
}

// Has reports whether an id was added.
func (s *IDs) Has(id uint16) bool {
	if s.bits == nil {
		return slices.Contains(s.few, id)
	}
	return s.bits[id/64]&(1<<(id%64)) != 0
}
