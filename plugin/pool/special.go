package pool

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// specialTTL is how long a denial of our own may be cached, in seconds.
const specialTTL = 300

// Special is what happens to queries for a name (R14).
type Special uint8

const (
	NotSpecial   Special = iota // all upstreams are asked, and the best reply is given
	NoDataHere                  // none is asked, and the reply is NODATA
	NXDomainHere                // none is asked, and the reply is NXDOMAIN
	DenialFinal                 // all are asked, and the denial of one is the reply
)

// specialty is a name, in wire format, and what is special about it.
type specialty struct {
	name    []byte
	special Special
	below   bool // and so are all names below it
}

var specials = []specialty{
	// A designation invites clients to ask the upstream that gave it alone (RFC 9462,
	// section 6.1).
	{[]byte("\x08resolver\x04arpa\x00"), NoDataHere, true},
	// If it exists, Firefox may go around this resolver.
	{[]byte("\x13use-application-dns\x03net\x00"), NXDomainHere, true},
	// These do not exist: a query would show which sites a user of Tor visits (RFC 7686,
	// section 2), or is useless (RFC 6761, section 6.4).
	{[]byte("\x05onion\x00"), NXDomainHere, true},
	{[]byte("\x07invalid\x00"), NXDomainHere, true},
	// A network that denies these asks Apple's devices not to go around its resolver.
	{[]byte("\x04mask\x06icloud\x03com\x00"), DenialFinal, false},
	{[]byte("\x07mask-h2\x06icloud\x03com\x00"), DenialFinal, false},
}

// Special returns what happens to a question, which is as in [wire.Question], and the zone
// that makes it special, in wire format.
func (p *Pool) Special(question []byte) (special Special, zone []byte) {
	if p.cfg.ForwardSpecial {
		return NotSpecial, nil
	}
	name := question[:len(question)-4]
	for i := range specials {
		s := &specials[i]
		at := len(name) - len(s.name)
		if (at == 0 || at > 0 && s.below) && wire.SameName(name[at:], s.name) && beginsLabel(name, at) {
			return s.special, s.name
		}
	}
	return NotSpecial, nil
}

// beginsLabel reports whether a label of a name, which is in wire format, begins at that place.
func beginsLabel(name []byte, at int) bool {
	begin := 0
	for begin < at {
		begin += 1 + int(name[begin])
	}
	return begin == at
}

// Denial is the reply to a question that no upstream is asked (R14), with its verdict; nil for
// all others. It has no id and no question.
func (p *Pool) Denial(question []byte) (m *dns.Msg, verdict race.Verdict) {
	special, zone := p.Special(question)
	rcode := dns.RcodeSuccess
	switch special {
	case NoDataHere:
		verdict = race.NoDataSOA
	case NXDomainHere:
		verdict, rcode = race.NXDomainSOA, dns.RcodeNameError
	default:
		return nil, race.None
	}
	owner := nameOf(zone)
	m = new(dns.Msg)
	m.Response, m.Rcode, m.Authoritative, m.RecursionAvailable = true, rcode, true, true
	m.Ns = []dns.RR{&dns.SOA{ // RFC 6303, section 3
		Hdr: dns.RR_Header{Name: owner, Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: specialTTL},
		Ns:  owner, Mbox: "nobody.invalid.", Serial: 1, Refresh: 3600, Retry: 1200, Expire: 604800, Minttl: specialTTL,
	}}
	return m, verdict
}
