package race

import (
	"net/netip"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Filtered reports whether a reply of that verdict says that it comes from a filter (RFC 8914,
// sections 4.5 and 4.16 to 4.19): it denies the name, fails, or has the name or the address of
// a page, or no address, as its answer. Prohibited says that of a denial only, for it is about the client as a
// rule; Forged Answer says it of addresses that are none.
func Filtered(reply []byte, v Verdict) (by bool) {
	if !v.Wins() && v != ServFail && v != Referral && !v.Negative() {
		return false
	}
	wire.ExtendedErrors(reply, func(code uint16, _ []byte) bool {
		switch code {
		case dns.ExtendedErrorCodeBlocked, dns.ExtendedErrorCodeCensored, dns.ExtendedErrorCodeFiltered:
			by = true
		case dns.ExtendedErrorCodeProhibited:
			by = v.Negative()
		case dns.ExtendedErrorCodeForgedAnswer:
			by = v == Good && nullAddresses(reply)
		}
		return !by
	})
	return by
}

// nullAddresses reports whether an answer has addresses, and all of them are 0.0.0.0 or ::.
func nullAddresses(reply []byte) bool {
	null, others := false, false
	Addresses(reply, func(addr netip.Addr) {
		null = null || addr.IsUnspecified()
		others = others || !addr.IsUnspecified()
	})
	return null && !others
}
