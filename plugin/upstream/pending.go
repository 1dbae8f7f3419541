package upstream

import (
	"crypto/rand"
	"encoding/binary"
)

// pending holds the exchanges that wait for a reply on one socket, by id.
type pending map[uint16]*Exchange

// add enters x under a free id, drawn at random (RFC 5452, section 9.2).
func (p pending) add(x *Exchange, random *random) uint16 {
	for {
		id := random.uint16()
		if _, taken := p[id]; !taken {
			p[id] = x
			return id
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
