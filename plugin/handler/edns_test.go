package handler

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// opts returns the OPT records of a message.
func opts(m *dns.Msg) (list []*dns.OPT) {
	for _, rr := range slices.Concat(m.Answer, m.Ns, m.Extra) {
		if opt, ok := rr.(*dns.OPT); ok {
			list = append(list, opt)
		}
	}
	return list
}

func addOPT(m *dns.Msg, rcode int) {
	opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1232}}
	opt.SetExtendedRcode(uint16(rcode))
	m.Extra = append(m.Extra, opt)
}

// R13: a client gets one OPT if it sent one, and else none, whatever upstreams add.
func TestR13OPTForWhoSpeaksEDNS(t *testing.T) {
	for what, tc := range map[string]struct {
		says  func(*dns.Msg)
		rcode int
	}{
		"an answer":                  {says: func(m *dns.Msg) { good(m); m.SetEdns0(1232, true) }},
		"two":                        {says: func(m *dns.Msg) { good(m); addOPT(m, 0); addOPT(m, 0) }},
		"one before another record":  {says: func(m *dns.Msg) { good(m); addOPT(m, 0); m.Extra = append(m.Extra, rr("x. 60 IN A 192.0.2.1")) }},
		"none":                       {says: good},
		"a denial":                   {says: func(m *dns.Msg) { nxdomain(m); m.SetEdns0(1232, false) }, rcode: dns.RcodeNameError},
		"a failure":                  {says: func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure; m.SetEdns0(1232, false) }, rcode: dns.RcodeServerFailure},
		"a code that needs the room": {says: func(m *dns.Msg) { m.Rcode = dns.RcodeBadCookie; addOPT(m, dns.RcodeBadCookie) }, rcode: dns.RcodeServerFailure},
	} {
		addr := serve(t, []netip.AddrPort{resolver(t, func(a asked) { a.reply(0, tc.says) })}, nil)
		for _, network := range []string{"udp", "tcp"} {
			q := question("host.example.", dns.TypeA)
			if r := mustExchange(t, network, addr, q); len(opts(r)) != 0 || r.Rcode != tc.rcode {
				t.Errorf("%s, %s, without EDNS: got\n%v", what, network, r)
			}
			q.SetEdns0(1232, false)
			if r := mustExchange(t, network, addr, q); len(opts(r)) != 1 || r.Rcode != tc.rcode && r.Rcode != dns.RcodeBadCookie {
				t.Errorf("%s, %s, with EDNS: got\n%v", what, network, r)
			}
		}
	}
}

// R13: a query with two OPT records is answered with FORMERR here (RFC 6891, section
// 6.1.1).
func TestR13TwoOPT(t *testing.T) {
	upstream := &askedLog{says: good}
	addr := serve(t, []netip.AddrPort{upstream.resolver(t)}, nil)
	for _, network := range []string{"udp", "tcp"} {
		for i, second := range []func(q *dns.Msg){
			func(q *dns.Msg) { addOPT(q, 0) },
			func(q *dns.Msg) { q.Extra = append(q.Extra, rr("x. 60 IN A 192.0.2.1")); addOPT(q, 0) },
			func(q *dns.Msg) { addOPT(q, 0); addOPT(q, 0) },
		} {
			q := question("host.example.", dns.TypeA)
			q.SetEdns0(1232, i == 0)
			second(q)
			if r := mustExchange(t, network, addr, q); r.Rcode != dns.RcodeFormatError || len(r.Answer) != 0 {
				t.Errorf("%s: got\n%v", network, r)
			}
		}
	}
	if upstream.saw("host.example.") {
		t.Error("it was passed on")
	}
}

// A bogus reply, as one that is forged, does not keep the true one out that follows; nor
// is that waited for longer than the others.
func TestBogusIsFollowed(t *testing.T) {
	t.Parallel()
	const soon, late, never = 20 * time.Millisecond, 300 * time.Millisecond, time.Hour
	bad := func(m *dns.Msg) { m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN A 203.0.113.7")} }
	var told events // the truth
	forged := func(truth time.Duration, says func(*dns.Msg)) func(asked) {
		return func(a asked) {
			a.reply(0, bad)
			if a.network == "udp" && truth != never {
				a.reply(soon/2, bad)
				time.AfterFunc(truth, func() { a.reply(0, says); told.happened(a.name()) })
			}
		}
	}
	deniesThen := func(a asked) { go func() { <-told.of(a.name()); a.reply(0, nxdomain) }() }
	for what, tc := range map[string]struct {
		upstreams []func(asked)
		rcode     int
		address   string
	}{
		"the truth follows":              {upstreams: []func(asked){forged(soon, good), deniesThen}, address: "192.0.2.1"},
		"behind another":                 {upstreams: []func(asked){deniesThen, forged(soon, good)}, address: "192.0.2.1"},
		"it is a denial":                 {upstreams: []func(asked){forged(soon, nxdomain), deniesThen}, rcode: dns.RcodeNameError},
		"it is NODATA":                   {upstreams: []func(asked){forged(soon, soa), deniesThen}},
		"it never comes":                 {upstreams: []func(asked){forged(never, nil), denies(nxdomain)}, rcode: dns.RcodeNameError},
		"there is nobody else":           {upstreams: []func(asked){forged(never, nil)}, address: "203.0.113.7"},
		"all are forged, one is no more": {upstreams: []func(asked){forged(late, good), forged(never, nil), deniesThen}, address: "192.0.2.1"},
	} {
		var addrs []netip.AddrPort
		for _, behave := range tc.upstreams {
			addrs = append(addrs, resolver(t, behave))
		}
		addr := serve(t, addrs, nil, func(c *Config) {
			c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
			c.Rules.Timeout, c.Patience = testkit.Patience, testkit.Patience // clients do not wait so long
		})
		for i := range 3 {
			r := mustExchange(t, "udp", addr, question(fmt.Sprintf("host%d.%s.example.", i, strings.ReplaceAll(what, " ", "-")), dns.TypeA))
			address := ""
			if len(r.Answer) == 1 {
				address = r.Answer[0].(*dns.A).A.String()
			}
			if r.Rcode != tc.rcode || address != tc.address {
				t.Errorf("%s: got\n%v", what, r)
			}
		}
	}
}
