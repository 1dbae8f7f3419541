package pool

import (
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// joined is a reply with an alias, and with what was found of the name that it leads to: the
// aliases of the one, all records of the other, and the other's rcode (RFC 6604, section 3).
// Nil is a reply without records. It is authentic (AD) only if both are, and come from one
// upstream. A stale end is said to be one (RFC 8914, section 4.4).
func joined(reply, end []byte, one, stale bool) ([]byte, error) {
	m, found := new(dns.Msg), new(dns.Msg)
	if m.Unpack(reply) != nil || end != nil && found.Unpack(end) != nil || len(m.Question) != 1 {
		return nil, race.ErrUnreadable
	}
	var aliases []dns.RR
	name := m.Question[0].Name
	wire.FollowAliases(reply, nil, func(place int) {
		if place >= len(m.Answer) {
			return
		}
		rr := m.Answer[place]
		if rr.Header().Rrtype == dns.TypeCNAME {
			aliases = append(aliases, above(rr, m.Answer)...)
		}
		aliases = append(aliases, rr)
		if dname, ok := rr.(*dns.DNAME); ok {
			rr = renaming(name, dname)
			aliases = append(aliases, rr)
		}
		if cname, ok := rr.(*dns.CNAME); ok {
			name = cname.Target
		}
	})
	m.AuthenticatedData = one && m.AuthenticatedData && found.AuthenticatedData
	m.RecursionAvailable = m.RecursionAvailable || found.RecursionAvailable
	m.Truncated, m.Rcode = found.Truncated, found.Rcode
	if stale {
		found.SetEdns0(upstream.MaxUDPSize, false)
		found.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeStaleAnswer}}
	}
	m.Answer, m.Ns, m.Extra, m.Compress = append(aliases, found.Answer...), found.Ns, found.Extra, true
	for _, less := range []func(){func() {}, func() { m.Extra = nil }, func() { m.Ns = nil }} {
		less()
		if msg, err := m.Pack(); err == nil && len(msg) <= dns.MaxMsgSize {
			return msg, nil
		}
	}
	return nil, race.ErrTooLong
}

// above are the DNAME records that may be why there is a CNAME record (RFC 6672, section 3.1).
func above(cname dns.RR, all []dns.RR) (dnames []dns.RR) {
	for _, rr := range all {
		if owner := rr.Header().Name; rr.Header().Rrtype == dns.TypeDNAME && !strings.EqualFold(owner, cname.Header().Name) && dns.IsSubDomain(owner, cname.Header().Name) {
			dnames = append(dnames, rr)
		}
	}
	return dnames
}

// renaming is the CNAME record that a DNAME record stands for (RFC 6672, section 2.2).
func renaming(name string, dname *dns.DNAME) *dns.CNAME {
	target := dname.Target
	if offsets := dns.Split(name); len(offsets) > dns.CountLabel(dname.Hdr.Name) {
		end := len(name) - 1 // of what is not replaced; the root's is a point
		if n := len(offsets) - dns.CountLabel(dname.Hdr.Name); n < len(offsets) {
			end = offsets[n] - 1
		}
		if target == "." {
			target = ""
		}
		target = name[:end] + "." + target
	}
	hdr := dname.Hdr
	hdr.Name, hdr.Rrtype, hdr.Rdlength = name, dns.TypeCNAME, 0
	return &dns.CNAME{Hdr: hdr, Target: target}
}
