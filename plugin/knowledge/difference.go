package knowledge

import (
	"hash/maphash"
	"net/netip"
	"slices"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Difference is how two good answers differ.
type Difference uint8

const (
	Incomparable Difference = iota // one has no addresses
	Alike                          // they have one in common, or a network: it is rotation, or the nearest server
	Apart                          // they have none in common
	Opposed                        // and only one of them has private addresses
)

// maxCompared bounds the addresses of an answer that are compared.
const maxCompared = 32

// Compare compares the addresses of two answers to one question (R17).
func Compare(a, b []byte) Difference {
	var roomA, roomB [maxCompared]netip.Addr
	as, bs := addresses(roomA[:0], a), addresses(roomB[:0], b)
	if len(as) == 0 || len(bs) == 0 {
		return Incomparable
	}
	for _, x := range as {
		if slices.ContainsFunc(bs, func(y netip.Addr) bool { return network(x) == network(y) }) {
			return Alike
		}
	}
	if slices.ContainsFunc(as, race.PrivateAddress) != slices.ContainsFunc(bs, race.PrivateAddress) {
		return Opposed
	}
	return Apart
}

func addresses(list []netip.Addr, reply []byte) []netip.Addr {
	race.Addresses(reply, func(addr netip.Addr) {
		if len(list) < maxCompared {
			list = append(list, addr)
		}
	})
	return list
}

// network is a network that probably serves a name from one place; a private address stands
// for itself.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if !race.PrivateAddress(addr) {
		bits = map[bool]int{true: 16, false: 32}[addr.Is4()]
	}
	prefix, _ := addr.Prefix(bits)
	return prefix
}

// sampleOf is what is remembered of an upstream's answer.
func sampleOf(answer []byte, by int) sample {
	s := sample{by: int32(by)}
	var room [maxCompared]netip.Addr
	for i, addr := range addresses(room[:0], answer) {
		if i == len(s.networks) {
			break
		}
		s.networks[i] = hashOf(addr)
	}
	return s
}

// like reports whether an answer has an address in one of the networks.
func (s *sample) like(answer []byte) bool {
	var room [maxCompared]netip.Addr
	return slices.ContainsFunc(addresses(room[:0], answer), func(addr netip.Addr) bool {
		return slices.Contains(s.networks[:], hashOf(addr))
	})
}

// hashOf is a hash of an address's network; 0 is that of none.
func hashOf(addr netip.Addr) uint32 { return uint32(maphash.Comparable(seed, network(addr))) | 1 }
