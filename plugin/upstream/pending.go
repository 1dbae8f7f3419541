package upstream

import (
	"crypto/rand"
	"encoding/binary"
	"iter"
)

// pending holds the exchanges that wait for a reply on one socket or stream, by id. It is
// a table in which the low bits of an id are its place; an id whose place is taken counts
// as taken. Its zero value is empty.
type pending struct {
	entries []entry // as many as a power of two, at least four times those in use
	n       int
}

type entry struct {
	x  *Exchange // nil: free
	id uint16
}

const leastEntries = 64

// at returns the place of an id. There must be places.
func (p *pending) at(id uint16) *entry { return &p.entries[int(id)&(len(p.entries)-1)] }

// get returns the exchange with that id, or nil.
func (p *pending) get(id uint16) *Exchange {
	if p.n == 0 {
		return nil
	}
	if e := p.at(id); e.id == id {
		return e.x
	}
	return nil
}

// remove takes out the exchange with that id, if there is one, and returns it.
func (p *pending) remove(id uint16) *Exchange {
	x := p.get(id)
	if x != nil {
		p.at(id).x = nil
		p.n--
	}
	return x
}

// all yields what is in the table, which may be taken out meanwhile.
func (p *pending) all() iter.Seq2[uint16, *Exchange] {
	return func(yield func(uint16, *Exchange) bool) {
		for i := range p.entries {
			if p.n == 0 {
				return
			}
			if e := p.entries[i]; e.x != nil && !yield(e.id, e.x) {
				return
			}
		}
	}
}

// add enters x under a free id, drawn at random (RFC 5452, section 9.2).
func (p *pending) add(x *Exchange, random *random) uint16 {
	if 4*(p.n+1) > len(p.entries) && len(p.entries) < 1<<16 {
		p.grow()
	}
	for {
		id := random.uint16()
		if e := p.at(id); e.x == nil {
			*e = entry{x, id}
			p.n++
			return id
		}
	}
}

func (p *pending) grow() {
	old := p.entries
	p.entries = make([]entry, max(2*len(old), leastEntries))
	for _, e := range old {
		if e.x != nil {
			*p.at(e.id) = e
		}
	}
}

// random draws numbers that cannot be predicted. It fetches many at a time,
// since each race needs several.
type random struct {
	buf  [1024]byte
	left []byte
}

// fill fetches numbers if few are left. Readers of sockets call it, for their
// goroutines have the stack that it needs; a query's would have to grow for it.
func (r *random) fill() {
	if len(r.left) < len(r.buf)/2 {
		rand.Read(r.buf[:]) // never fails
		r.left = r.buf[:]
	}
}

func (r *random) uint16() uint16 {
	if len(r.left) == 0 {
		r.fill()
	}
	n := binary.NativeEndian.Uint16(r.left)
	r.left = r.left[2:]
	return n
}
