package knowledge

import "math/bits"

// MaxUpstreams is how many upstreams are told apart. Nothing is learned about further ones, so
// they are never asked first.
const MaxUpstreams = 64

// Set is a set of upstreams, by number.
type Set uint64

// Only is the set of upstream i alone; it is empty if i is too great.
func Only(i int) Set { return 1 << uint(i) }

// Has reports whether upstream i is in the set.
func (s Set) Has(i int) bool { return s&Only(i) != 0 }

// Sole returns the only upstream in the set, or -1 if there is not exactly one.
func (s Set) Sole() int {
	if s == 0 || s&(s-1) != 0 {
		return -1
	}
	return bits.TrailingZeros64(uint64(s))
}
