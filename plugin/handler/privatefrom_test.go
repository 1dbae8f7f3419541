package handler

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// private is the answer with a private address for the type asked for.
func private(m *dns.Msg) {
	q := m.Question[0]
	data := map[uint16]string{dns.TypeA: "A 10.1.0.10", dns.TypeAAAA: "AAAA fd00::10", dns.TypeHTTPS: "HTTPS 1 . ipv4hint=10.1.0.10"}[q.Qtype]
	if data != "" { // else it is a probe
		m.Answer = []dns.RR{rr(q.Name + " 60 IN " + data)}
	}
}

// rebinding is another one, at the end of a chain.
func rebinding(m *dns.Msg) {
	q := m.Question[0]
	data := map[uint16]string{dns.TypeA: "A 192.168.1.1", dns.TypeAAAA: "AAAA ::ffff:192.168.1.1", dns.TypeHTTPS: "HTTPS 1 . ipv6hint=fe80::1"}[q.Qtype]
	if data != "" {
		m.Answer = []dns.RR{rr(q.Name + " 60 IN CNAME evil.example."), rr("evil.example. 60 IN " + data)}
	}
}

// A public resolver that gives a private address beside the company's: the company's answer or
// its denial is the reply, whoever is faster, over UDP and TCP.
func TestR22Rebinding(t *testing.T) {
	for _, networks := range []string{"udp", "tcp"} {
		for _, companyFirst := range []bool{true, false} {
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS} {
				t.Run(fmt.Sprintf("%s/%v/%s", networks, companyFirst, dns.TypeToString[qtype]), func(t *testing.T) {
					t.Parallel()
					var sent events
					in := func(a asked, first bool, edit func(*dns.Msg)) {
						send := a.pack(edit)
						go func() {
							if !first {
								<-sent.of(a.name())
								time.Sleep(time.Millisecond)
							}
							a.send(send)
							sent.happened(a.name())
						}()
					}
					company := resolver(t, func(a asked) {
						edit := private
						if a.name() == "evil.example." {
							edit = nxdomain
						}
						in(a, companyFirst, edit)
					})
					public := resolver(t, func(a asked) { in(a, !companyFirst, rebinding) })
					addr := serve(t, []netip.AddrPort{public, company}, nil, privateFrom(company))
					if r := mustExchange(t, networks, addr, question("host.example.", qtype)); len(r.Answer) != 1 {
						t.Errorf("a name that the company knows:\n%v", r)
					}
					if r := mustExchange(t, networks, addr, question("evil.example.", qtype)); r.Rcode != dns.RcodeNameError || len(r.Answer) != 0 {
						t.Errorf("a name that the company denies:\n%v", r)
					}
				})
			}
		}
	}
}

// privateFrom is the option, with these upstreams.
func privateFrom(upstreams ...netip.AddrPort) func(*Config) {
	return func(c *Config) {
		for _, u := range upstreams {
			c.PrivateFrom.Servers = append(c.PrivateFrom.Servers, server.Plain(u).ID)
		}
	}
}

// Where no other answer is left there is none, and clients are told why; a public address is
// an answer as any, and so is one of an upstream on this machine, if such may give all.
func TestR22Alone(t *testing.T) {
	elsewhere := netip.MustParseAddrPort("192.0.2.53:53")
	resolves := resolver(t, func(a asked) {
		switch a.name() {
		case "public.example.":
			a.reply(0, good)
		default:
			a.reply(0, rebinding)
		}
	})
	addr := serve(t, []netip.AddrPort{resolves}, nil, privateFrom(elsewhere))
	q := question("evil.example.", dns.TypeA)
	q.SetEdns0(1232, false)
	r := mustExchange(t, "udp", addr, q)
	told := false
	if opt := r.IsEdns0(); opt != nil {
		for _, o := range opt.Option {
			e, ok := o.(*dns.EDNS0_EDE)
			told = told || ok && e.InfoCode == dns.ExtendedErrorCodeBlocked && e.ExtraText == "answered only by upstreams that private_from leaves out"
		}
	}
	if r.Rcode != dns.RcodeSuccess || len(r.Answer)+len(r.Ns) != 0 || !told {
		t.Errorf("a private address:\n%v", r)
	}
	for _, name := range []string{"wpad.", "isatap.example."} {
		if r := mustExchange(t, "tcp", addr, question(name, dns.TypeA)); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 {
			t.Errorf("%s:\n%v", name, r)
		}
	}
	if r := mustExchange(t, "udp", addr, question("public.example.", dns.TypeA)); len(r.Answer) != 1 {
		t.Errorf("a public address:\n%v", r)
	}
	for what, from := range map[string]option.PrivateFrom{
		"option off":            {},
		"private, and loopback": {Private: true},
		"its range":             {Prefixes: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	} {
		addr := serve(t, []netip.AddrPort{resolves}, nil, func(c *Config) { c.PrivateFrom = from })
		for _, name := range []string{"evil.example.", "wpad."} {
			if r := mustExchange(t, "udp", addr, question(name, dns.TypeA)); len(r.Answer) != 2 {
				t.Errorf("%s, %s:\n%v", what, name, r)
			}
		}
	}
}

// What an upstream may give holds for those that a list brings later, too.
func TestR22Reload(t *testing.T) {
	company, public := resolver(t, func(a asked) { a.reply(0, private) }), resolver(t, func(a asked) { a.reply(0, rebinding) })
	cfg := Config{Upstreams: plain(public), Values: option.Values{Rules: patientRules, Patience: testkit.Patience}}
	privateFrom(company)(&cfg)
	h := started(cfg)
	addr := serveHandler(t, h)
	ask := func() *dns.Msg { return mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)) }
	if r := ask(); len(r.Answer) != 0 {
		t.Errorf("from the public one alone:\n%v", r)
	}
	replace(h.pool, plain(public, company))
	if r := ask(); len(r.Answer) != 1 {
		t.Errorf("beside the company's:\n%v", r)
	}
	replace(h.pool, plain(public))
	if r := ask(); len(r.Answer) != 0 {
		t.Errorf("when that is gone:\n%v", r)
	}
}

// R22, R23: an alias whose end has a private address is taken if all who gave a part of it may
// give such: not a public one's alias of a name of the company's, whatever rcode it has.
func TestR22Alias(t *testing.T) {
	for what, rcode := range map[string]int{"NOERROR": dns.RcodeSuccess, "NXDOMAIN": dns.RcodeNameError, "SERVFAIL": dns.RcodeServerFailure} {
		t.Run(what, func(t *testing.T) {
			alias := func(to string) func(*dns.Msg) {
				return func(m *dns.Msg) {
					m.Rcode = rcode
					m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN CNAME " + to)}
				}
			}
			public := resolver(t, func(a asked) {
				switch a.name() {
				case "evil.example.":
					a.reply(0, alias("intranet.corp.example."))
				case "cdn.example.":
					a.reply(0, good)
				case "far.example.":
					a.reply(0, rebinding)
				default:
					a.reply(0, nxdomain)
				}
			})
			company := func(behave map[string]func(*dns.Msg)) netip.AddrPort {
				return resolver(t, func(a asked) {
					if edit, ok := behave[a.name()]; ok {
						a.reply(0, edit)
					} else {
						a.reply(0, nxdomain)
					}
				})
			}
			first := company(map[string]func(*dns.Msg){"intranet.corp.example.": private, "www.corp.example.": alias("cdn.example."), "far.corp.example.": alias("far.example."), "git.corp.example.": alias("git.other.example.")})
			second := company(map[string]func(*dns.Msg){"git.other.example.": private})
			addr := serve(t, []netip.AddrPort{public, first, second}, nil, privateFrom(first, second))
			for _, tc := range []struct {
				name string
				ends int // records that are addresses
			}{
				{"evil.example.", 0},     // the end is the company's, the alias is not
				{"far.corp.example.", 0}, // the other way round
				{"www.corp.example.", 1}, // a public address
				{"git.corp.example.", 1}, // both may
				{"intranet.corp.example.", 1},
			} {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeHTTPS} {
					if qtype == dns.TypeHTTPS && tc.name == "www.corp.example." { // good is an address
						continue
					}
					r := mustExchange(t, "udp", addr, question(tc.name, qtype))
					ends := 0
					for _, record := range r.Answer {
						if record.Header().Rrtype == qtype {
							ends++
						}
					}
					if ends != tc.ends {
						t.Errorf("%s %s:\n%v", tc.name, dns.Type(qtype), r)
					}
				}
			}
		})
	}
}
