package handler

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// denies is a resolver that does not know the name, however it is asked.
func denies(edit func(*dns.Msg)) func(asked) { return func(a asked) { a.reply(0, edit) } }

// knowing has all used that can be learned.
func knowing(c *Config) {
	c.Learn, c.Away, c.Prefer = 10*time.Minute, true, option.Order
}

// overUDP behaves over UDP only; over TCP it denies the name.
func overUDP(behave func(asked)) func(asked) {
	return func(a asked) {
		if a.network == "udp" {
			behave(a)
		} else {
			a.reply(0, nxdomain)
		}
	}
}

// The first resolver spoils the race in every way there is, at once; the second
// has the answer a little later. The answer is what every client gets.
func TestGoodAnswerWins(t *testing.T) {
	t.Parallel()
	for what, first := range map[string]func(asked){
		"R2 NXDOMAIN":              denies(nxdomain),
		"R2 NXDOMAIN without SOA":  denies(code(dns.RcodeNameError)),
		"R2 NODATA":                denies(soa),
		"R2 NODATA without SOA":    denies(nil),
		"R2 SERVFAIL":              denies(code(dns.RcodeServerFailure)),
		"R2 REFUSED":               denies(code(dns.RcodeRefused)),
		"R2 FORMERR":               denies(code(dns.RcodeFormatError)),
		"R2 NOTIMP":                denies(code(dns.RcodeNotImplemented)),
		"R2 error with an answer":  denies(func(m *dns.Msg) { good(m); m.Rcode = dns.RcodeNameError }),
		"R8 TC=1 empty":            overUDP(denies(func(m *dns.Msg) { m.Truncated = true })),
		"R8 TC=1 empty everywhere": denies(func(m *dns.Msg) { m.Truncated = true }),
		"R9 wrong question":        denies(func(m *dns.Msg) { good(m); m.Question[0].Name = "other.example." }),
		"R9 wrong id":              denies(func(m *dns.Msg) { good(m); m.Id++ }),
		"R9 header-only error":     denies(func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeFormatError }),
		"R9 garbage":               func(a asked) { a.send([]byte("garbage, and no DNS message at all")) },
		"R9 garbage after the id":  func(a asked) { a.send(append(a.raw[:2:2], "garbage, and no DNS message"...)) },
		"cut short":                func(a asked) { raw := a.pack(good); a.send(raw[:len(raw)-2]) },
		"answers that are not there": func(a asked) {
			raw := a.pack(nil)
			raw[7] = 1
			a.send(raw)
		},
		"an answer that cannot be read": func(a asked) {
			raw := a.pack(good)
			raw[len(raw)-5] = 3 // the length of an A record's data
			a.send(raw[:len(raw)-1])
		},
		"R4 nothing": func(asked) {},
		"R6 first packet lost": func(a asked) {
			if a.n > 0 {
				a.reply(0, nxdomain)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for i, network := range []string{"udp", "tcp", "udp", "tcp"} {
				second := resolver(t, func(a asked) { a.reply(150*time.Millisecond, good) })
				set := []netip.AddrPort{resolver(t, first), second}
				change := func(c *Config) {
					if i >= 2 { // what was learned makes nothing worse
						knowing(c)
					}
				}
				var addr string
				var in *inspection
				if i == 1 || i == 2 {
					addr, in = serveInspected(t, set, nil, change)
				} else {
					addr = serve(t, set, nil, change)
				}
				for range 2 {
					r := mustExchange(t, network, addr, question("host.example.", dns.TypeA))
					in.check(t, network, r)
					if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 || r.Truncated {
						t.Errorf("%s: got\n%v", network, r)
					}
				}
			}
		})
	}
}

// R6: the one resolver that knows the name loses packets, while the other denies
// the name at once.
func TestR6LossIsNoDenial(t *testing.T) {
	t.Parallel()
	for _, lost := range []int{1, 2, 3} { // after three, the answer comes over TCP
		t.Run("", func(t *testing.T) {
			t.Parallel()
			knows := resolver(t, func(a asked) {
				if a.n >= lost {
					a.reply(0, good)
				}
			})
			addr := serve(t, []netip.AddrPort{resolver(t, denies(nxdomain)), knows}, nil)
			r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
			if len(r.Answer) != 1 {
				t.Errorf("%d packets lost: got\n%v", lost, r)
			}
		})
	}
}

// R3: which reply is given when none is good, whatever their order.
func TestR3BestOfTheRest(t *testing.T) {
	t.Parallel()
	toEmpty := func(m *dns.Msg) {
		if m.Question[0].Name == "host.example." {
			m.Answer = []dns.RR{rr("host.example. 60 IN CNAME empty.example.")}
		}
	}
	gone := func(m *dns.Msg) { toEmpty(m); nxdomain(m) }
	bogus := func(c *Config) { c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }
	for _, tc := range []struct {
		what        string
		better      func(*dns.Msg)
		worse       func(*dns.Msg)
		rcode       int
		answers, ns int
		change      func(*Config)
	}{
		{"NODATA, NXDOMAIN", soa, nxdomain, dns.RcodeSuccess, 0, 1, nil},
		{"bare NODATA, NXDOMAIN", nil, nxdomain, dns.RcodeSuccess, 0, 0, nil},
		{"bare NODATA of a chain, NXDOMAIN", toEmpty, nxdomain, dns.RcodeSuccess, 1, 0, nil},
		{"chain to nowhere, NXDOMAIN", gone, nxdomain, dns.RcodeNameError, 1, 1, nil},
		{"chain to nowhere, bare NXDOMAIN", gone, code(dns.RcodeNameError), dns.RcodeNameError, 1, 1, nil},
		{"NXDOMAIN, referral", nxdomain, referral, dns.RcodeNameError, 0, 1, nil},
		{"NXDOMAIN, bare referral", nxdomain, idle, dns.RcodeNameError, 0, 1, nil},
		{"NODATA, bare referral", soa, idle, dns.RcodeSuccess, 0, 1, nil},
		{"referral, SERVFAIL", referral, code(dns.RcodeServerFailure), dns.RcodeSuccess, 0, 1, nil},
		{"NXDOMAIN, SERVFAIL", nxdomain, code(dns.RcodeServerFailure), dns.RcodeNameError, 0, 1, nil},
		{"NXDOMAIN, bare NXDOMAIN", nxdomain, code(dns.RcodeNameError), dns.RcodeNameError, 0, 1, nil},
		{"SERVFAIL, REFUSED", code(dns.RcodeServerFailure), code(dns.RcodeRefused), dns.RcodeServerFailure, 0, 0, nil},
		{"NOTIMP, REFUSED", code(dns.RcodeNotImplemented), code(dns.RcodeRefused), dns.RcodeNotImplemented, 0, 0, nil},
		{"NXDOMAIN, bogus", nxdomain, hijack, dns.RcodeNameError, 0, 1, bogus},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			for _, after := range []time.Duration{0, 50 * time.Millisecond} {
				better := resolver(t, func(a asked) { a.reply(after, tc.better) })
				worse := resolver(t, func(a asked) { a.reply(50*time.Millisecond-after, tc.worse) })
				for _, set := range [][]netip.AddrPort{{better, worse}, {worse, better}} {
					addr, in := serveInspected(t, set, nil, func(c *Config) {
						if tc.change != nil {
							tc.change(c)
						}
					})
					for _, network := range []string{"udp", "tcp"} {
						r := mustExchange(t, network, addr, question("host.example.", dns.TypeA))
						in.check(t, network, r)
						if r.Rcode != tc.rcode || len(r.Answer) != tc.answers || len(r.Ns) != tc.ns {
							t.Errorf("%s, better after %v: got\n%v", network, after, r)
						}
					}
				}
			}
		})
	}
}

// R4: with no reply at all the client gets SERVFAIL, with the reason, when the time is up.
func TestR4NoReply(t *testing.T) {
	t.Parallel()
	silent := func(asked) {}
	closed := func(t *testing.T) netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:1") }
	short := func(c *Config) { c.Rules.Timeout = 300 * time.Millisecond }
	never := func(c *Config) { c.Rules.Timeout, c.Patience = testkit.Patience, testkit.Patience } // when all have failed
	for _, tc := range []struct {
		what   string
		set    func(t *testing.T) []netip.AddrPort
		change func(*Config)
		ede    uint16
	}{
		{"all silent", func(t *testing.T) []netip.AddrPort {
			return []netip.AddrPort{resolver(t, silent), resolver(t, silent)}
		}, short, dns.ExtendedErrorCodeNoReachableAuthority},
		{"one silent, one closed", func(t *testing.T) []netip.AddrPort {
			return []netip.AddrPort{resolver(t, silent), closed(t)}
		}, short, dns.ExtendedErrorCodeNoReachableAuthority},
		{"all closed", func(t *testing.T) []netip.AddrPort {
			return []netip.AddrPort{closed(t), closed(t)}
		}, never, dns.ExtendedErrorCodeNetworkError},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			addr, in := serveInspected(t, tc.set(t), nil, tc.change)
			for _, network := range []string{"udp", "tcp"} {
				m := question("host.example.", dns.TypeA)
				r := mustExchange(t, network, addr, m)
				in.check(t, network, r)
				if r.Rcode != dns.RcodeServerFailure || r.IsEdns0() != nil {
					t.Errorf("%s: got\n%v", network, r)
				}
				m.SetEdns0(1232, true)
				r = mustExchange(t, network, addr, m)
				in.check(t, network, r)
				opt := r.IsEdns0()
				if r.Rcode != dns.RcodeServerFailure || opt == nil || !opt.Do() || len(opt.Option) != 1 {
					t.Fatalf("%s: got\n%v", network, r)
				}
				if ede, ok := opt.Option[0].(*dns.EDNS0_EDE); !ok || ede.InfoCode != tc.ede {
					t.Errorf("%s: got %v, want extended error %d", network, opt.Option[0], tc.ede)
				}
			}
		})
	}
}

// R8: a truncated answer goes to a client on UDP as it is, and never to one on
// TCP.
func TestR8Truncation(t *testing.T) {
	two := func(m *dns.Msg) {
		m.Answer = []dns.RR{rr("host.example. 60 IN A 192.0.2.1"), rr("host.example. 60 IN A 192.0.2.2")}
	}
	up := resolver(t, func(a asked) {
		if a.network == "tcp" {
			a.reply(0, func(m *dns.Msg) { two(m); m.Truncated = true }) // which is nonsense
		} else {
			a.reply(0, func(m *dns.Msg) { good(m); m.Truncated = true })
		}
	})
	for _, tc := range []struct {
		what, network string
		change        func(*Config)
		answers       int
		truncated     bool
	}{
		{"UDP", "udp", func(*Config) {}, 1, true},
		{"TCP", "tcp", func(*Config) {}, 2, false},
		{"TCP, prefer_udp", "tcp", func(c *Config) { c.PreferUDP = true }, 2, false},
	} {
		t.Run(tc.what, func(t *testing.T) {
			addr := serve(t, []netip.AddrPort{up}, nil, tc.change)
			r := mustExchange(t, tc.network, addr, question("host.example.", dns.TypeA))
			if len(r.Answer) != tc.answers || r.Truncated != tc.truncated {
				t.Errorf("got\n%v", r)
			}
		})
	}
}

// Which transport upstreams are asked over.
func TestTransports(t *testing.T) {
	for _, tc := range []struct {
		what, client, want string
		change             func(*Config)
	}{
		{"R8 as the client", "udp", "udp", func(*Config) {}},
		{"R8 as the client", "tcp", "tcp", func(*Config) {}},
		{"force_tcp", "udp", "tcp", func(c *Config) { c.ForceTCP = true }},
		{"prefer_udp", "tcp", "udp", func(c *Config) { c.PreferUDP = true }},
	} {
		t.Run(tc.what, func(t *testing.T) {
			got := make(chan string, 10)
			up := resolver(t, func(a asked) { got <- a.network; a.reply(0, good) })
			addr := serve(t, []netip.AddrPort{up}, nil, tc.change)
			begun := time.Now()
			mustExchange(t, tc.client, addr, question("host.example.", dns.TypeA))
			if network := <-got; network != tc.want {
				t.Errorf("a client on %s is served over %s", tc.client, network)
			}
			for len(got) > 0 { // it came again, as it does on a busy machine; after long over both
				if network := <-got; network != tc.want && time.Since(begun) < time.Second {
					t.Errorf("a client on %s is served over %s as well", tc.client, network)
				}
			}
		})
	}
}

// The reply is the winner's, whole: sections, flags, codes, options. R3: parts of
// two upstreams are never mixed.
func TestReplyIsPassedOn(t *testing.T) {
	addr := serve(t, []netip.AddrPort{
		resolver(t, denies(func(m *dns.Msg) {
			nxdomain(m)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeFiltered, ExtraText: "because"}}
			m.AuthenticatedData, m.Authoritative = true, true
			m.Extra = append(m.Extra, rr("ns.example. 60 IN A 192.0.2.53"))
		})),
		resolver(t, denies(code(dns.RcodeNameError))),
	}, nil, func(c *Config) { c.TrustAD = true })
	m := question("HoSt.ExAmPlE.", dns.TypeA)
	m.SetEdns0(4096, true)
	for _, network := range []string{"udp", "tcp"} {
		r := mustExchange(t, network, addr, m)
		if r.Rcode != dns.RcodeNameError || len(r.Ns) != 1 || len(r.Extra) != 2 || !r.AuthenticatedData || !r.Authoritative || !r.RecursionAvailable {
			t.Errorf("%s: got\n%v", network, r)
		}
		if r.Question[0] != m.Question[0] {
			t.Errorf("%s: question is %v", network, r.Question[0])
		}
		opt := r.IsEdns0()
		if opt == nil || len(opt.Option) != 1 {
			t.Fatalf("%s: options are lost:\n%v", network, r)
		}
		if ede, ok := opt.Option[0].(*dns.EDNS0_EDE); !ok || ede.InfoCode != dns.ExtendedErrorCodeFiltered || ede.ExtraText != "because" {
			t.Errorf("%s: option is %v", network, opt.Option[0])
		}
	}
}

// The question comes back as the client wrote it, whatever the upstream made of
// it, and also if the upstream sent none.
func TestQuestionIsTheClients(t *testing.T) {
	for what, reply := range map[string]func(*dns.Msg){
		"another case": func(m *dns.Msg) { m.Question[0].Name = "host.example."; good(m) },
		"none":         func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeFormatError },
	} {
		addr := serve(t, []netip.AddrPort{resolver(t, denies(reply))}, nil)
		m := question("HoSt.ExAmPlE.", dns.TypeA)
		if r := mustExchange(t, "udp", addr, m); len(r.Question) != 1 || r.Question[0] != m.Question[0] {
			t.Errorf("%s: got\n%v", what, r)
		}
	}
}

// The id that upstreams see is never the client's, and differs by upstream.
func TestIDsAreOurs(t *testing.T) {
	ids := make(chan uint16, 200)
	see := func() func(asked) {
		var names sync.Map
		return func(a asked) {
			if _, again := names.LoadOrStore(a.name(), true); !again && a.name() != "." { // no probe
				ids <- wire.Header(a.raw).ID()
			}
			a.reply(0, nxdomain)
		}
	}
	addr := serve(t, []netip.AddrPort{resolver(t, see()), resolver(t, see())}, nil)
	same, equal := 0, 0
	for i := range 50 {
		m := question(fmt.Sprintf("host%d.example.", i), dns.TypeA)
		mustExchange(t, "udp", addr, m)
		a, b := <-ids, <-ids
		if a == m.Id || b == m.Id {
			same++
		}
		if a == b {
			equal++
		}
	}
	if same > 3 || equal > 3 {
		t.Errorf("of 50 queries %d went out with the client's id, %d with equal ids", same, equal)
	}
}
