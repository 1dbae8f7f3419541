package wire

import (
	"math"
	"testing"

	"github.com/miekg/dns"
)

// What is cut in bytes is what is cut in the message: the longer TTLs of two sections.
func TestCutTTL(t *testing.T) {
	m := new(dns.Msg).SetQuestion("host.example.", dns.TypeAAAA)
	m.Response, m.Compress = true, true
	for _, text := range []string{"host.example. 3600 IN CNAME a.example.", "a.example. 3 IN RRSIG CNAME 13 2 3600 20300101000000 20260101000000 1 example. AAAA"} {
		m.Answer = append(m.Answer, rr(t, text))
	}
	for _, text := range []string{"example. 3600 IN SOA ns.example. mail.example. 1 2 3 4 1800", "example. 4294967295 IN NSEC a.example. A NSEC", `example. 7 IN TYPE65280 \# 0`} {
		m.Ns = append(m.Ns, rr(t, text))
	}
	m.Extra = append(m.Extra, rr(t, "ns.example. 3600 IN A 192.0.2.1"))
	m.SetEdns0(1232, true)
	for _, most := range [][2]uint32{{math.MaxUint32, math.MaxUint32}, {5, 5}, {math.MaxUint32, 60}, {0, 0}} {
		got := pack(t, m)
		CutTTL(got, most[0], most[1])
		want := m.Copy()
		for _, rr := range want.Answer {
			rr.Header().Ttl = min(rr.Header().Ttl, most[0])
		}
		for _, rr := range want.Ns {
			rr.Header().Ttl = min(rr.Header().Ttl, most[1])
		}
		if string(got) != string(pack(t, want)) {
			t.Errorf("cut to %v:\n% x\nwant\n% x", most, got, pack(t, want))
		}
	}
	whole := pack(t, m)
	for n := range whole { // of less than a message nothing but TTLs is written, and nothing beyond
		CutTTL(whole[:n:n], 5, 5)
	}
}

func TestAuthorityHasSOA(t *testing.T) {
	const soa = "example. 60 IN SOA ns.example. mail.example. 1 2 3 4 5"
	for _, tc := range []struct {
		what              string
		answer, ns, extra []string
		want              bool
	}{
		{what: "nothing"},
		{what: "in the answer", answer: []string{soa}},
		{what: "in the answer, beside servers", answer: []string{soa}, ns: []string{"example. 60 IN NS ns.example."}},
		{what: "in additional", ns: []string{"example. 60 IN NS ns.example."}, extra: []string{soa}},
		{what: "in the authority", ns: []string{"example. 60 IN NSEC a.example. A NSEC", soa}, want: true},
	} {
		m := new(dns.Msg).SetQuestion("example.", dns.TypeA)
		for _, text := range tc.answer {
			m.Answer = append(m.Answer, rr(t, text))
		}
		for _, text := range tc.ns {
			m.Ns = append(m.Ns, rr(t, text))
		}
		for _, text := range tc.extra {
			m.Extra = append(m.Extra, rr(t, text))
		}
		if got := AuthorityHasSOA(pack(t, m)); got != tc.want {
			t.Errorf("%s: %v", tc.what, got)
		}
	}
	if AuthorityHasSOA(nil) {
		t.Error("in no message")
	}
}
