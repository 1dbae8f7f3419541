package race

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// shared is the range that carriers use between themselves and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// PrivateAddress reports whether an address is of a private network (RFC 1918, RFC 4193, RFC
// 6598).
func PrivateAddress(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsPrivate() || shared.Contains(addr)
}

// Addresses calls f with each address in the answer section of a reply.
func Addresses(reply []byte, f func(netip.Addr)) {
	wire.Records(reply, func(r wire.Record) bool {
		if r.Section != wire.Answer {
			return false
		}
		if r.Type == dns.TypeA || r.Type == dns.TypeAAAA {
			if addr, ok := netip.AddrFromSlice(r.Data); ok {
				f(addr.Unmap())
			}
		}
		return true
	})
}

// Privacy reports whether the answer of a reply has addresses, and whether one of them is
// private.
func Privacy(reply []byte) (private, any bool) {
	Addresses(reply, func(addr netip.Addr) {
		any = true
		private = private || PrivateAddress(addr)
	})
	return private, any
}
