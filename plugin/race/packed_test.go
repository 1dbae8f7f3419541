package race

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/miekg/dns"
)

// The policy of a stanza with "bogus".
var (
	bogusPolicy = Policy{Bogus: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8:bad::/48")}}
)

// Records of replies for host.example.
const (
	rrSOA       = "example. 60 IN SOA ns.example. mail.example. 1 2 3 4 5"
	rrNS        = "example. 60 IN NS ns.example."
	rrGlue      = "ns.example. 60 IN A 192.0.2.53"
	rrCNAME     = "host.example. 60 IN CNAME real.example."
	rrDNAME     = "example. 60 IN DNAME example.net."
	rrA         = "real.example. 60 IN A 192.0.2.1"
	rrHostA     = "host.example. 60 IN A 192.0.2.1"
	rrBadA      = "real.example. 60 IN A 203.0.113.7"
	rrAAAA      = "real.example. 60 IN AAAA 2001:db8::1"
	rrBadAAAA   = "real.example. 60 IN AAAA 2001:db8:bad::7"
	rrBadMapped = "real.example. 60 IN AAAA ::ffff:203.0.113.7"
	rrBadGlue   = "ns.example. 60 IN A 203.0.113.7"
	rrTXT       = `host.example. 60 IN TXT "203.0.113.7"`
	rrUnknown   = `host.example. 60 IN TYPE65280 \# 4 cb007107` // the bytes of 203.0.113.7
	rrRRSIG     = "host.example. 60 IN RRSIG A 8 2 60 20300101000000 20200101000000 1 example. AAAA"
	rrOPT       = "OPT" // not written as text; see [packReply]
)

// Bits in the header of a reply.
type bits struct{ aa, ra, tc bool }

// flagged is a reply whose header has these bits.
func flagged(reply []byte, is bits) []byte {
	b := slices.Clone(reply)
	b[2] &^= 0x06
	b[3] &^= 0x80
	if is.aa {
		b[2] |= 0x04
	}
	if is.tc {
		b[2] |= 0x02
	}
	if is.ra {
		b[3] |= 0x80
	}
	return b
}

type rrs = []string

// packReply packs a resolver's reply to a query for host.example. An extended rcode needs
// rrOPT among the additional records.
func packReply(t *testing.T, qtype uint16, rcode int, answer, authority, additional rrs) []byte {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion("host.example.", qtype)
	m.Response, m.RecursionAvailable, m.Compress, m.Rcode = true, true, true, rcode
	parse := func(texts rrs) (section []dns.RR) {
		for _, text := range texts {
			if text == rrOPT {
				section = append(section, &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232}})
				continue
			}
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			section = append(section, rr)
		}
		return section
	}
	m.Answer, m.Ns, m.Extra = parse(answer), parse(authority), parse(additional)
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantVerdict(t *testing.T, what string, msg []byte, p Policy, want Verdict) {
	t.Helper()
	if got := Judge(msg, p); got != want {
		// Verdicts with and without SOA share a word.
		t.Errorf("%s, policy %+v: verdict %d %v, want %d %v", what, p, got, got, want, want)
	}
}
