package race

import (
	"bytes"
	"net/netip"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Policy says what a good answer needs besides NOERROR and a record of the type asked for.
// Its zero value asks for nothing more.
type Policy struct {
	Bogus     []netip.Prefix // no record of an answer may hold one of these addresses
	NoPrivate bool           // nor a private one, for the upstream may give none
}

// ParsePrefix reads an address range for [Policy]'s Bogus, such as 192.0.2.0/24; a single
// address is a range of one.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return prefix, err
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 { // which Judge takes for IPv4
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// bogus returns Bogus or Untrusted if the answer section of a reply is that by the policy,
// and None otherwise. Other sections are not looked at.
func (p Policy) bogus(reply []byte) (v Verdict) {
	if len(p.Bogus) == 0 && !p.NoPrivate {
		return None
	}
	if p.NoPrivate && FindsServers(wire.Question(reply)) {
		return Untrusted
	}
	wire.Records(reply, func(r wire.Record) bool {
		if r.Section != wire.Answer {
			return false
		}
		addressesOf(r, func(addr netip.Addr) { v = max(v, p.bogusAddress(addr)) })
		return v != Bogus
	})
	return v
}

func (p Policy) bogusAddress(addr netip.Addr) Verdict {
	for _, prefix := range p.Bogus {
		if prefix.Contains(addr) {
			return Bogus
		}
	}
	if p.NoPrivate && PrivateAddress(addr) {
		return Untrusted
	}
	return None
}

// FindsServers reports whether a question, which is as in [wire.Question], is for a name by
// which machines find a proxy or a router, whatever domain they add to it: whoever answers it
// gets their traffic.
func FindsServers(question []byte) bool {
	for _, label := range []string{"\x04wpad", "\x06isatap"} {
		if len(question) > len(label) && bytes.EqualFold(question[:len(label)], []byte(label)) {
			return true
		}
	}
	return false
}
