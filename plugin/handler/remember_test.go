package handler

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/pool"
)

// What is remembered of a race is what the client got, and what each upstream said.
func TestR25Remembered(t *testing.T) {
	t.Parallel()
	blocked := func(m *dns.Msg) {
		nxdomain(m)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: "malware"}}
	}
	page := func(m *dns.Msg) {
		m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN A 0.0.0.0")}
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeForgedAnswer}}
	}
	bogus := func(c *Config) { c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }
	slow := func(a asked) { a.reply(600*time.Millisecond, good) }
	servfail := denies(code(dns.RcodeServerFailure))
	for _, tc := range []struct {
		what    string
		name    string
		qtype   uint16
		behave  []func(asked)
		change  func(*Config)
		want    string // verdict, rcode, by whom, conclusive
		legs    string // verdict and rcode of each
		why     api.WhyKind
		changed string
		nothing bool // is remembered
	}{
		{what: "denied by all", behave: []func(asked){denies(nxdomain), denies(nxdomain)}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, nxdomain NXDOMAIN", why: api.WhyUnknown},
		{what: "no opinion of one", behave: []func(asked){servfail, denies(nxdomain)}, want: "nxdomain NXDOMAIN 1 false", legs: "servfail SERVFAIL, nxdomain NXDOMAIN", why: api.WhyInconclusive},
		{what: "refused by one", behave: []func(asked){denies(nxdomain), denies(code(dns.RcodeRefused))}, want: "nxdomain NXDOMAIN 0 false", legs: "nxdomain NXDOMAIN, refused REFUSED", why: api.WhyInconclusive},
		{what: "all fail", behave: []func(asked){servfail, servfail}, want: "servfail SERVFAIL 0 false", legs: "servfail SERVFAIL, servfail SERVFAIL", why: api.WhyFailed},
		{what: "no such type", behave: []func(asked){denies(soa), denies(soa)}, want: "nodata NOERROR 0 true", legs: "nodata NOERROR, nodata NOERROR", why: api.WhyNoData},
		{what: "no such type, of which most names have none", qtype: dns.TypeAAAA, behave: []func(asked){denies(soa), denies(soa)}, nothing: true},
		{what: "an answer", behave: []func(asked){denies(good), denies(nxdomain)}, nothing: true},
		{what: "an answer that took long", behave: []func(asked){slow, denies(nxdomain)}, want: "good NOERROR 0 true", legs: "good NOERROR, nxdomain NXDOMAIN", why: api.WhySlow},
		{what: "a filter", change: func(c *Config) { c.Rules.Filtered = true }, behave: []func(asked){denies(blocked), slow}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, none -", why: api.WhyFiltered},
		{what: "a filter beside another that denies", behave: []func(asked){denies(nxdomain), denies(blocked)}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, nxdomain NXDOMAIN", why: api.WhyFiltered},
		{what: "a filter's answer", behave: []func(asked){denies(page)}, want: "good NOERROR 0 true", legs: "good NOERROR", why: api.WhyFiltered},
		{what: "denied without SOA", behave: []func(asked){denies(code(dns.RcodeNameError))}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN", why: api.WhyUnknown},
		{what: "no such type, without SOA", behave: []func(asked){denies(nil)}, want: "nodata NOERROR 0 true", legs: "nodata NOERROR", why: api.WhyNoData},
		{what: "the better denial", behave: []func(asked){denies(nxdomain), denies(soa)}, want: "nodata NOERROR 1 true", legs: "nxdomain NXDOMAIN, nodata NOERROR", why: api.WhyNoData},
		{what: "a referral", behave: []func(asked){denies(referral)}, want: "referral NOERROR 0 false", legs: "referral NOERROR", why: api.WhyInconclusive},
		{what: "truncated", behave: []func(asked){denies(func(m *dns.Msg) { m.Truncated = true })}, want: "truncated NOERROR 0 false", legs: "truncated NOERROR", why: api.WhyTruncated},
		{what: "an error", behave: []func(asked){denies(code(dns.RcodeNotImplemented))}, want: "error NOTIMP 0 false", legs: "error NOTIMP", why: api.WhyFailed},
		{what: "nobody there", behave: []func(asked){nil, nil}, want: "none SERVFAIL - false", legs: "none -, none -", why: api.WhyFailed, changed: "none"},
		{what: "one is not there", behave: []func(asked){nil, denies(nxdomain)}, want: "nxdomain NXDOMAIN 1 false", legs: "none -, nxdomain NXDOMAIN", why: api.WhyInconclusive},
		{what: "an alias without an end", behave: []func(asked){denies(func(m *dns.Msg) {
			m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN CNAME gone.example.")}
			nxdomain(m)
		})}, want: "servfail SERVFAIL - false", legs: "servfail NXDOMAIN", why: api.WhyAlias, changed: "alias"},
		{what: "special", name: "x.onion.", behave: []func(asked){denies(good)}, want: "nxdomain NXDOMAIN - true", why: api.WhySpecial, changed: "special"},
		{what: "bogus beside a denial", change: bogus, behave: []func(asked){denies(nxdomain), denies(hijack)}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, bogus NOERROR", why: api.WhyBogus},
		{what: "bogus", change: bogus, behave: []func(asked){denies(good)}, want: "bogus NOERROR 0 true", legs: "bogus NOERROR", why: api.WhyBogus},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			var upstreams []netip.AddrPort
			for _, behave := range tc.behave {
				at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1+len(upstreams))) // closed
				if behave != nil {
					at = resolver(t, behave)
				}
				upstreams = append(upstreams, at)
			}
			h := controlledHandler(t, tc.change, upstreams...)
			if tc.name == "" {
				tc.name, tc.qtype = "host.corp.example.", max(tc.qtype, dns.TypeA)
			}
			ask := func() *dns.Msg {
				t.Helper()
				q := question(tc.name, max(tc.qtype, dns.TypeA))
				q.SetEdns0(1232, false)
				reply, err := askHandler(t, h, q)
				if err != nil {
					t.Fatal(err)
				}
				return reply
			}
			if tc.nothing {
				testkit.Eventually(t, func() error { // what takes long is remembered on a busy machine
					begun := time.Now()
					if ask(); time.Since(begun) > 400*time.Millisecond {
						tc.name = "x." + tc.name
						return errors.New("it takes long")
					}
					if all := historyOf(t, h, "name="+tc.name); len(all) > 0 {
						t.Errorf("%+v", all)
					}
					return nil
				})
				return
			}
			reply := ask()
			all := historyOf(t, h, "")
			if len(all) != 1 {
				t.Fatalf("%+v", all)
			}
			m := all[0]
			by := "-"
			if m.Upstream != nil {
				by = fmt.Sprint(slices.IndexFunc(h.pool.Members(), func(o *pool.Member) bool { return o.String() == *m.Upstream }))
			}
			if got := fmt.Sprintf("%s %s %s %v", m.Verdict, m.Rcode, by, m.Conclusive); got != tc.want || m.Rcode != dns.RcodeToString[reply.Rcode] {
				t.Errorf("%s, want %s; the client got %s", got, tc.want, dns.RcodeToString[reply.Rcode])
			}
			var legs []string
			for _, l := range m.Upstreams {
				rcode := "-"
				if l.Rcode != nil {
					rcode = *l.Rcode
				}
				legs = append(legs, l.Verdict+" "+rcode)
			}
			if got := strings.Join(legs, ", "); got != tc.legs {
				t.Errorf("%s, want %s", got, tc.legs)
			}
			if m.Why.Kind != tc.why || m.Why.Text == "" || m.Why.Until == "" {
				t.Errorf("%+v, want %s", m.Why, tc.why)
			}
			if changed := m.Changed; tc.changed != "" && (changed == nil || *changed != tc.changed) || tc.changed == "" && changed != nil {
				t.Errorf("changed: %v, want %s", changed, tc.changed)
			}
			if m.Name != tc.name || m.Count != 1 {
				t.Errorf("%s %d", m.Name, m.Count)
			}
			least := ^uint32(0)
			for _, record := range append(slices.Clone(reply.Answer), reply.Ns...) {
				if t := record.Header().Rrtype; t != dns.TypeNS { // a referral is not kept
					least = min(least, record.Header().Ttl)
				}
			}
			if kept := least != ^uint32(0); kept != (m.TTL != nil) || kept && *m.TTL != least {
				t.Errorf("the client may keep it for %d s, and what is told is %v", least, m.TTL)
			}
			if m.TTL != nil && !m.Until.Equal(m.At.Add(time.Duration(*m.TTL)*time.Second)) {
				t.Errorf("until %v, after %v", m.Until, m.At)
			}
		})
	}
}
