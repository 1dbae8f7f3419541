package handler

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// R13: AD of an upstream's reply does not reach clients unless trust_ad is set, whichever way the
// reply takes; nothing else of the header changes, nor do signatures.
func TestR13AD(t *testing.T) {
	const signature = "host.example. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 example. c2lnbmF0dXJl"
	shown := func(edit func(*dns.Msg)) func(asked) {
		return func(a asked) {
			a.reply(0, func(m *dns.Msg) {
				edit(m)
				m.AuthenticatedData, m.Zero = true, true
			})
		}
	}
	signed := func(edit func(*dns.Msg)) func(asked) { // with a TSIG that nobody can check
		return shown(func(m *dns.Msg) {
			edit(m)
			m.Extra = append(m.Extra, &dns.TSIG{Hdr: dns.RR_Header{Name: "key.example.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256, MACSize: 4, MAC: "01020304"})
		})
	}
	refuses := denies(code(dns.RcodeRefused))
	ways := []struct {
		what      string
		upstreams []func(asked)
		rcode     int
	}{
		{"a good answer", []func(asked){shown(good)}, dns.RcodeSuccess},
		{"signed by DNSSEC", []func(asked){shown(func(m *dns.Msg) {
			good(m)
			m.Answer = append(m.Answer, rr(signature))
			m.SetEdns0(1232, true)
		})}, dns.RcodeSuccess},
		{"NXDOMAIN", []func(asked){shown(nxdomain)}, dns.RcodeNameError},
		{"NODATA", []func(asked){shown(soa)}, dns.RcodeSuccess},
		{"inconclusive", []func(asked){shown(nxdomain), refuses}, dns.RcodeNameError},
		{"SERVFAIL", []func(asked){shown(code(dns.RcodeServerFailure))}, dns.RcodeServerFailure},
		{"signed by TSIG", []func(asked){signed(good)}, dns.RcodeSuccess},
		{"denied, signed by TSIG", []func(asked){signed(nxdomain)}, dns.RcodeNameError},
		{"of a type that is unpacked", []func(asked){shown(func(m *dns.Msg) {
			good(m)
			m.Answer = append(m.Answer, rr(`host.example. 60 IN CAA 0 issue "ca.example"`))
		})}, dns.RcodeSuccess},
	}
	requests := map[string]func(*dns.Msg){
		"plain":  func(*dns.Msg) {},
		"AD":     func(m *dns.Msg) { m.AuthenticatedData = true },
		"EDNS":   func(m *dns.Msg) { m.SetEdns0(1232, false) },
		"DO, CD": func(m *dns.Msg) { m.SetEdns0(4096, true); m.CheckingDisabled = true },
		"a cookie": func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		},
	}
	for _, way := range ways {
		for _, trust := range []bool{false, true} {
			var list []netip.AddrPort
			for _, behave := range way.upstreams {
				list = append(list, resolver(t, behave))
			}
			addr := serve(t, list, nil, func(c *Config) { c.TrustAD = trust })
			for _, network := range []string{"udp", "tcp"} {
				for what, edit := range requests {
					t.Run(fmt.Sprintf("%s, trust_ad %v, %s, %s", way.what, trust, network, what), func(t *testing.T) {
						m := question("host.example.", dns.TypeA)
						edit(m)
						r := unchecked(t, network, addr, m)
						if r.Rcode != way.rcode || r.AuthenticatedData != trust || !r.Zero || !r.RecursionAvailable || !r.RecursionDesired || r.CheckingDisabled != m.CheckingDisabled {
							t.Errorf("got\n%v", r)
						}
						if way.what == "signed by DNSSEC" && (len(r.Answer) != 2 || r.Answer[1].String() != rr(signature).String()) {
							t.Errorf("the signature is %v", r.Answer)
						}
					})
				}
			}
		}
	}
	// Replies of our own have none, nor has a reply of nobody.
	for what, behave := range map[string]func(asked){
		"a truncated reply to a client on TCP": shown(func(m *dns.Msg) { m.Truncated = true }),
		"special":                              shown(good),
	} {
		m := question("invalid.", dns.TypeA)
		if what != "special" {
			m = question("host.example.", dns.TypeA)
		}
		if r := mustExchange(t, "tcp", serve(t, []netip.AddrPort{resolver(t, behave)}, nil, func(c *Config) { c.TrustAD = true }), m); r.AuthenticatedData {
			t.Errorf("%s: got\n%v", what, r)
		}
	}
}

// unchecked is the reply to m, whatever signature it has.
func unchecked(t *testing.T, network, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	conn, err := dns.DialTimeout(network, addr, testkit.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.UDPSize = dns.MaxMsgSize
	conn.SetDeadline(time.Now().Add(testkit.Patience))
	if err := conn.WriteMsg(m); err != nil {
		t.Fatal(err)
	}
	raw, err := conn.ReadMsgHeader(nil)
	if err != nil {
		t.Fatal(err)
	}
	r := new(dns.Msg)
	if err := r.Unpack(raw); err != nil || r.Id != m.Id {
		t.Fatalf("%v, got\n%v", err, r)
	}
	return r
}

// R13: a client that has signed its query checks the reply itself; that is not changed.
func TestR13ADSigned(t *testing.T) {
	const secret = "c2VjcmV0"
	up := resolver(t, func(a asked) {
		m := new(dns.Msg).SetReply(a.msg)
		good(m)
		m.AuthenticatedData = true
		mac := a.msg.IsTsig().MAC
		m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix())
		raw, _, err := dns.TsigGenerate(m, secret, mac, false)
		if err != nil {
			t.Error(err)
			return
		}
		a.send(raw)
	})
	for _, network := range []string{"udp", "tcp"} {
		m := question("host.example.", dns.TypeA)
		m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix())
		c := &dns.Client{Net: network, TsigSecret: map[string]string{"key.example.": secret}, Timeout: time.Minute}
		r, _, err := c.Exchange(m, serve(t, []netip.AddrPort{up}, nil))
		if err != nil || !r.AuthenticatedData {
			t.Errorf("%s: %v, got\n%v", network, err, r)
		}
	}
}
