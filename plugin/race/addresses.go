package race

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

var (
	// shared is the range that carriers use between themselves and their customers (RFC 6598).
	shared = netip.MustParsePrefix("100.64.0.0/10")
	// translated is IPv4 behind a NAT64 (RFC 6052, section 2.1).
	translated = netip.MustParsePrefix("64:ff9b::/96")
)

// PrivateAddress reports whether an address is of a private network (RFC 1918, RFC 4193, RFC
// 6598) or link-local (RFC 3927; RFC 4291, section 2.5.6), in whatever form.
func PrivateAddress(addr netip.Addr) bool {
	addr = addr.Unmap()
	if translated.Contains(addr) {
		bytes := addr.As16()
		addr, _ = netip.AddrFromSlice(bytes[12:])
	}
	return addr.IsPrivate() || shared.Contains(addr) || addr.IsLinkLocalUnicast()
}

// Addresses calls f with each address in the answer section of a reply, hints among them.
func Addresses(reply []byte, f func(netip.Addr)) {
	wire.Records(reply, func(r wire.Record) bool {
		if r.Section == wire.Answer {
			addressesOf(r, f)
		}
		return r.Section == wire.Answer
	})
}

// addressesOf calls f with each address that a record holds.
func addressesOf(r wire.Record, f func(netip.Addr)) {
	call := func(data []byte) {
		if addr, ok := netip.AddrFromSlice(data); ok {
			f(addr.Unmap())
		}
	}
	switch r.Type {
	case dns.TypeA, dns.TypeAAAA:
		call(r.Data)
	case dns.TypeHTTPS, dns.TypeSVCB:
		wire.Hints(r.Data, call)
	}
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
