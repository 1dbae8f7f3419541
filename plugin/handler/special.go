package handler

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// specialTTL is how long a denial of our own may be cached, in seconds.
const specialTTL = 300

// special is the reply to a query of which no upstream is asked (R14), and what it is
// worth; or nil for all others.
func (h *Handler) special(c *client) (m *dns.Msg, verdict race.Verdict) {
	question := wire.Question(c.query.Msg)
	if question == nil {
		return nil, race.None
	}
	special, zone := h.pool.Special(question)
	rcode := dns.RcodeSuccess
	switch special {
	case pool.NoDataHere:
		verdict = race.NoDataSOA
	case pool.NXDomainHere:
		verdict, rcode = race.NXDomainSOA, dns.RcodeNameError
	default:
		return nil, race.None
	}
	owner, _, err := dns.UnpackDomainName(zone, 0)
	if err != nil {
		return nil, race.None
	}
	m = new(dns.Msg)
	m.SetRcode(c.request, rcode)
	m.Authoritative, m.RecursionAvailable = true, true
	m.Ns = []dns.RR{&dns.SOA{ // as RFC 6303, section 3, has it
		Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: specialTTL},
		Ns:  owner, Mbox: "nobody.invalid.", Serial: 1, Refresh: 3600, Retry: 1200, Expire: 604800, Minttl: specialTTL,
	}}
	return m, verdict
}
