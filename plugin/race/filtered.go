package race

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Filtered reports whether a reply says that it comes from a filter (RFC 8914, sections 4.16
// to 4.19).
func Filtered(reply []byte) (by bool) {
	wire.ExtendedErrors(reply, func(code uint16, _ []byte) bool {
		by = by || dns.ExtendedErrorCodeBlocked <= code && code <= dns.ExtendedErrorCodeProhibited
		return !by
	})
	return by
}
