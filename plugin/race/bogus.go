package race

import (
	"bytes"
	"net/netip"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

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
