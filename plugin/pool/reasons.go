package pool

import (
	"fmt"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// maxExtraText bounds the text of an extended error, in bytes, so that it does not fill a
// small reply; the log has all of it.
const maxExtraText = 200

// ExtendedError says why upstreams gave no opinion. It is Network Error if the network
// failed for each of those, else No Reachable Authority; where replies may be forged, Other
// Error (RFC 8914, section 4).
func (r *Result) ExtendedError() (code uint16, text string) {
	text = printable.Cut(r.Reasons(), maxExtraText)
	code = dns.ExtendedErrorCodeNetworkError
	if r.Forged {
		return dns.ExtendedErrorCodeOther, text
	}
	if r.Away { // whatever the reason (R18)
		code = dns.ExtendedErrorCodeNoReachableAuthority
	}
	for _, err := range r.Errs {
		if err != nil && !race.NetworkFailed(err) {
			code = dns.ExtendedErrorCodeNoReachableAuthority
		}
	}
	return code, text
}

// Reasons says which upstreams gave no opinion, and why.
func (r *Result) Reasons() string {
	var parts []string
	for i, err := range r.Errs {
		if err != nil {
			parts = append(parts, fmt.Sprintf("%s: %v", r.Members[i].Server, err))
		}
	}
	return strings.Join(parts, "; ")
}
