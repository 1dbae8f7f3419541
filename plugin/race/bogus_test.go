package race

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// publicPolicy is that on replies of an upstream which may give no private address.
var publicPolicy = Policy{NoPrivate: true}

// The hints of HTTPS and SVCB records are addresses, too.
func TestJudgeHints(t *testing.T) {
	for _, typ := range []string{"HTTPS", "SVCB"} {
		qtype := dns.StringToType[typ]
		for _, tc := range []struct {
			params string
			bogus  Verdict
			public Verdict
		}{
			{"1 . alpn=h3", Good, Good},
			{"1 . ipv4hint=192.0.2.1", Good, Good},
			{"1 . ipv4hint=203.0.113.7", Bogus, Good},
			{"1 . alpn=h2 port=8443 ipv4hint=192.0.2.1,203.0.113.7", Bogus, Good},
			{"1 svc.example. ipv6hint=2001:db8:bad::1", Bogus, Good},
			{"1 . ipv4hint=192.0.2.1 ipv6hint=2001:db8::1,2001:db8:bad::1", Bogus, Good},
			{"1 . ipv4hint=10.1.0.10", Good, Untrusted},
			{"2 a.very.long.target.example. alpn=h2 ipv4hint=192.0.2.1,192.168.0.1 ipv6hint=2001:db8::1", Good, Untrusted},
			{"1 . ipv4hint=192.0.2.1 ipv6hint=fd00::1", Good, Untrusted},
			{"0 svc.example.", Good, Good},
		} {
			b := packReply(t, qtype, dns.RcodeSuccess, rrs{"host.example. 60 IN " + typ + " " + tc.params}, nil, rrs{rrBadGlue, "ns.example. 60 IN A 10.0.0.1"})
			wantVerdict(t, typ+" "+tc.params, b, bogusPolicy, tc.bogus)
			wantVerdict(t, typ+" "+tc.params, b, publicPolicy, tc.public)
			wantVerdict(t, typ+" "+tc.params, b, Policy{}, Good)
		}
	}
}

func TestJudgePrivate(t *testing.T) {
	for addr, private := range map[string]bool{
		"10.0.0.0": true, "10.255.255.255": true, "9.255.255.255": false, "11.0.0.0": false,
		"172.16.0.0": true, "172.31.255.255": true, "172.15.255.255": false, "172.32.0.0": false,
		"192.168.0.0": true, "192.168.255.255": true, "192.167.255.255": false, "192.169.0.0": false,
		"100.64.0.0": true, "100.127.255.255": true, "100.63.255.255": false, "100.128.0.0": false,
		"169.254.0.0": true, "169.254.169.254": true, "169.253.255.255": false, "169.255.0.0": false,
		"fc00::": true, "fdff:ffff::1": true, "fbff::": false, "fe00::": false,
		"fe80::1": true, "febf::1": true, "fec0::1": false, "2001:db8::1": false,
		"64:ff9b::10.0.0.1": true, "64:ff9b::192.0.2.1": false,
		"::ffff:10.0.0.1": true, "::ffff:192.168.1.1": true, "::ffff:169.254.1.1": true, "::ffff:192.0.2.1": false,
		// Lists of blocked names say these, and they lead to this machine only.
		"0.0.0.0": false, "127.0.0.1": false, "127.255.255.255": false, "::": false, "::1": false, "::ffff:127.0.0.1": false,
	} {
		typ, want := "A", map[bool]Verdict{true: Untrusted, false: Good}[private]
		if netip.MustParseAddr(addr).Is6() {
			typ = "AAAA"
		}
		own, last := fmt.Sprintf("host.example. 60 IN %s %s", typ, addr), fmt.Sprintf("real.example. 60 IN %s %s", typ, addr)
		for what, answer := range map[string]rrs{"alone": {own}, "at the end of a chain": {rrCNAME, last}, "before the chain": {last, rrCNAME}, "among others": {rrA, rrAAAA, own}} {
			b := packReply(t, dns.StringToType[typ], dns.RcodeSuccess, answer, nil, rrs{rrOPT})
			wantVerdict(t, addr+" "+what, b, publicPolicy, want)
			wantVerdict(t, addr+" "+what, b, Policy{}, Good)
		}
		b := packReply(t, dns.TypeMX, dns.RcodeSuccess, rrs{"host.example. 60 IN MX 1 real.example."}, nil, rrs{last})
		wantVerdict(t, addr+" in the additional section", b, publicPolicy, Good)
		gone := packReply(t, dns.TypeA, dns.RcodeNameError, rrs{rrCNAME, last}, rrs{rrSOA}, nil)
		wantVerdict(t, addr+" in a chain to nothing", gone, publicPolicy, map[bool]Verdict{true: NXDomainSOA, false: NXDomainChain}[private])
	}
	both := packReply(t, dns.TypeA, dns.RcodeSuccess, rrs{"host.example. 60 IN A 10.0.0.1", rrBadA}, nil, nil)
	wantVerdict(t, "private and bogus", both, Policy{Bogus: bogusPolicy.Bogus, NoPrivate: true}, Bogus)
	wantVerdict(t, "an address that private_from does not concern", packReply(t, dns.TypeA, dns.RcodeSuccess, rrs{rrCNAME, rrBadA}, nil, nil), publicPolicy, Good)
}

// Names by which machines find a proxy or a router are answered by those that may give private
// addresses, whatever the answer is; all may deny them.
func TestJudgeFindsServers(t *testing.T) {
	for name, finds := range map[string]bool{
		"wpad.": true, "wpad.example.": true, "WPAD.Corp.Example.": true, "isatap.": true, "IsaTap.corp.example.": true,
		"wpadx.example.": false, "xwpad.example.": false, "www.wpad.example.": false, "example.wpad.": false, "isata.example.": false, ".": false,
	} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeA)
		m.Response, m.RecursionAvailable = true, true
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 1}}}
		answer, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]Verdict{true: Untrusted, false: Good}[finds]
		wantVerdict(t, name, answer, publicPolicy, want)
		wantVerdict(t, name, answer, Policy{}, Good)
		m.Answer, m.Rcode = nil, dns.RcodeNameError
		denial, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		wantVerdict(t, name, denial, publicPolicy, NXDomain)
	}
}

// Each leg's replies are judged by what its upstream may give, in any order; and what it may
// not give is never the reply.
func TestR22Race(t *testing.T) {
	rebinding := reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 192.168.1.1"))
	for _, tc := range []struct {
		what            string
		company, public []event
		leg             int
		verdict         Verdict
		after           time.Duration
	}{
		{"the company's answer, which comes later", says(20*ms, private), says(5*ms, rebinding), 0, Good, 20 * ms},
		{"the company's answer, which comes first", says(5*ms, private), says(20*ms, rebinding), 0, Good, 5 * ms},
		{"its denial, which comes later", says(20*ms, nxdomain), says(5*ms, rebinding), 0, NXDomainSOA, 20 * ms},
		{"its denial, which comes first", says(5*ms, nxdomain), says(20*ms, rebinding), 0, NXDomainSOA, 20 * ms},
		{"its failure", says(5*ms, servfail), says(20*ms, rebinding), 0, ServFail, 20 * ms},
		{"it fails", []event{{5 * ms, errBroken}}, says(20*ms, rebinding), -1, Untrusted, 20 * ms},
		{"it is down", []event{{0, nil}}, says(20*ms, rebinding), -1, Untrusted, 20 * ms},
		{"it is silent", nil, says(20*ms, rebinding), -1, Untrusted, timeout},
		{"a public answer", says(20*ms, nxdomain), says(5*ms, goodReply), 1, Good, 5 * ms},
		{"the true reply after a forged one", says(20*ms, nxdomain), []event{{5 * ms, rebinding}, {10 * ms, goodReply}}, 1, Good, 10 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) {
					s := &script{events: tc.company}
					if i == 1 {
						s.events = tc.public
						leg.NoPrivate()
					}
					return s.ask(leg)
				})
				defer r.End()
				start := time.Now()
				res := r.Wait(t.Context())
				if res.Leg != tc.leg || res.Verdict != tc.verdict || time.Since(start) != tc.after || (res.Msg == nil) != (tc.leg < 0) {
					t.Errorf("leg %d, %v, after %v, %d bytes", res.Leg, res.Verdict, time.Since(start), len(res.Msg))
				}
				time.Sleep(timeout)
			})
		})
	}
}
