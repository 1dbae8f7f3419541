package handler

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// specialTTL is how long a denial of our own may be cached, in seconds.
const specialTTL = 300

// special is the reply to a question that no upstream is asked (R14), and its verdict; nil
// for all others.
func special(p *pool.Pool, question []byte, r *dns.Msg) (m *dns.Msg, verdict race.Verdict) {
	if question == nil {
		return nil, race.None
	}
	special, zone := p.Special(question)
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
	m.SetRcode(r, rcode)
	m.Authoritative, m.RecursionAvailable = true, true
	m.Ns = []dns.RR{&dns.SOA{ // RFC 6303, section 3
		Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: specialTTL},
		Ns:  owner, Mbox: "nobody.invalid.", Serial: 1, Refresh: 3600, Retry: 1200, Expire: 604800, Minttl: specialTTL,
	}}
	return m, verdict
}
