package handler

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// byName replies to names as told, and denies all others.
func byName(replies map[string]func(*dns.Msg)) func(asked) {
	return func(a asked) {
		edit := replies[strings.ToLower(a.name())]
		if edit == nil {
			edit = longNXDomain
		}
		a.reply(0, edit)
	}
}

// records is a reply that has these in its answer section.
func records(texts ...string) func(*dns.Msg) {
	return func(m *dns.Msg) {
		for _, text := range texts {
			m.Answer = append(m.Answer, rr(text))
		}
	}
}

// both do one after the other.
func both(a, b func(*dns.Msg)) func(*dns.Msg) { return func(m *dns.Msg) { a(m); b(m) } }

// lines are the records of a section, without their class.
func lines(section []dns.RR) (list []string) {
	for _, rr := range section {
		list = append(list, strings.Join(strings.Fields(strings.Replace(rr.String(), "\tIN\t", "\t", 1)), " "))
	}
	return list
}

// R23: whatever way it takes to the client, an alias comes with what it leads to, with the
// client's question and the life that each record has.
func TestR23Clients(t *testing.T) {
	t.Parallel()
	const alias = "wiki.a.example. 600 IN CNAME host.b.example."
	for _, tc := range []struct {
		what   string
		end    func(*dns.Msg)
		rcode  int
		answer []string
		ns     uint32 // TTL of the authority section; 0: there is none
	}{
		{"answer", records("host.b.example. 20 IN A 10.2.0.20", "host.b.example. 20 IN A 10.2.0.21"), 0,
			[]string{"wiki.a.example. 600 CNAME host.b.example.", "host.b.example. 20 A 10.2.0.20", "host.b.example. 20 A 10.2.0.21"}, 0},
		{"a second alias", records("host.b.example. 30 IN CNAME x.b.example.", "x.b.example. 20 IN A 10.2.0.20"), 0,
			[]string{"wiki.a.example. 600 CNAME host.b.example.", "host.b.example. 30 CNAME x.b.example.", "x.b.example. 20 A 10.2.0.20"}, 0},
		{"NODATA", longSOA, 0, []string{"wiki.a.example. 600 CNAME host.b.example."}, 5},
		{"bare NODATA", func(*dns.Msg) {}, 0, []string{"wiki.a.example. 5 CNAME host.b.example."}, 0},
		{"NXDOMAIN", longNXDomain, dns.RcodeNameError, []string{"wiki.a.example. 5 CNAME host.b.example."}, 5},
	} {
		for _, rcode := range []int{dns.RcodeSuccess, dns.RcodeNameError, dns.RcodeServerFailure} {
			t.Run(fmt.Sprintf("%s, beside the alias %s", tc.what, dns.RcodeToString[rcode]), func(t *testing.T) {
				t.Parallel()
				company := resolver(t, byName(map[string]func(*dns.Msg){"wiki.a.example.": both(records(alias), code(rcode))}))
				other := resolver(t, byName(map[string]func(*dns.Msg){"host.b.example.": tc.end}))
				addr := serve(t, []netip.AddrPort{company, other}, nil)
				for _, network := range []string{"udp", "tcp"} {
					for _, edns := range []bool{false, true} {
						m := question("WiKi.A.ExAmPlE.", dns.TypeA)
						if edns {
							m.SetEdns0(1232, false)
						}
						r := mustExchange(t, network, addr, m)
						got := lines(r.Answer)
						for i := range got {
							got[i] = strings.ToLower(strings.Replace(got[i], "CNAME", "cname", 1))
						}
						want := strings.ToLower(fmt.Sprint(tc.answer))
						if r.Rcode != tc.rcode || r.Question[0] != m.Question[0] || strings.ToLower(fmt.Sprint(got)) != want || r.Truncated || (r.IsEdns0() != nil) != edns {
							t.Errorf("%s, EDNS %v: got\n%v", network, edns, r)
						}
						for _, rr := range r.Ns {
							if rr.Header().Ttl != tc.ns {
								t.Errorf("%s: an authority lives %d s, want %d", network, rr.Header().Ttl, tc.ns)
							}
						}
						if (len(r.Ns) > 0) != (tc.ns > 0) {
							t.Errorf("%s: %d records are in the authority section", network, len(r.Ns))
						}
					}
				}
			})
		}
	}
}

// R23: clients that validate follow aliases themselves, and get them as they come.
func TestR23Validating(t *testing.T) {
	company := resolver(t, byName(map[string]func(*dns.Msg){"wiki.a.example.": records("wiki.a.example. 600 IN CNAME host.b.example.")}))
	addr := serve(t, []netip.AddrPort{company, resolver(t, byName(map[string]func(*dns.Msg){"host.b.example.": good}))}, nil)
	m := question("wiki.a.example.", dns.TypeA)
	m.SetEdns0(1232, true)
	if r := mustExchange(t, "udp", addr, m); r.Rcode != 0 || fmt.Sprint(lines(r.Answer)) != "[wiki.a.example. 600 CNAME host.b.example.]" {
		t.Errorf("got\n%v", r)
	}
}

// R23: where nothing is known of an end the client is told that, and why.
func TestR23Failures(t *testing.T) {
	t.Parallel()
	wiki := map[string]func(*dns.Msg){"wiki.a.example.": records("wiki.a.example. 600 IN CNAME host.b.example.")}
	fails := map[string]func(*dns.Msg){"wiki.a.example.": wiki["wiki.a.example."], "host.b.example.": code(dns.RcodeServerFailure)}
	circle := map[string]func(*dns.Msg){"wiki.a.example.": wiki["wiki.a.example."], "host.b.example.": records("host.b.example. 600 IN CNAME wiki.a.example.")}
	for what, tc := range map[string]struct {
		first, second map[string]func(*dns.Msg)
		text          string
	}{
		"it fails":               {fails, fails, "host.b.example.: SERVFAIL"},
		"it leads back":          {circle, nil, race.ErrEndless.Error()},
		"of itself, in a circle": {map[string]func(*dns.Msg){"wiki.a.example.": records("wiki.a.example. 600 IN CNAME x.example.", "x.example. 600 IN CNAME wiki.a.example.")}, nil, race.ErrEndless.Error()},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			addr := serve(t, []netip.AddrPort{resolver(t, byName(tc.first)), resolver(t, byName(tc.second))}, nil)
			for _, network := range []string{"udp", "tcp"} {
				m := question("wiki.a.example.", dns.TypeA)
				if r := mustExchange(t, network, addr, m); r.Rcode != dns.RcodeServerFailure || len(r.Answer)+len(r.Ns) > 0 || r.IsEdns0() != nil {
					t.Errorf("%s: got\n%v", network, r)
				}
				m.SetEdns0(1232, false)
				r := mustExchange(t, network, addr, m)
				ede, ok := r.IsEdns0().Option[0].(*dns.EDNS0_EDE)
				if r.Rcode != dns.RcodeServerFailure || !ok || ede.InfoCode != dns.ExtendedErrorCodeNoReachableAuthority || !strings.Contains(ede.ExtraText, tc.text) {
					t.Errorf("%s: got\n%v", network, r)
				}
			}
		})
	}
}

// R8, R23: parts that were truncated. What was cut off from an alias does not matter; an answer
// that is cut off is to clients on UDP as any, and whole to those on TCP.
func TestR23Truncated(t *testing.T) {
	t.Parallel()
	alias := records("wiki.a.example. 600 IN CNAME host.b.example.")
	company := resolver(t, func(a asked) { // over TCP it has no more
		if a.name() != "wiki.a.example." {
			a.reply(0, longNXDomain)
		} else if a.network == "udp" {
			a.reply(0, both(alias, func(m *dns.Msg) { m.Truncated = true }))
		} else {
			a.reply(0, alias)
		}
	})
	some, all := records("host.b.example. 60 IN A 10.2.0.20"), records("host.b.example. 60 IN A 10.2.0.20", "host.b.example. 60 IN A 10.2.0.21")
	other := resolver(t, func(a asked) {
		switch {
		case a.name() != "host.b.example.":
			a.reply(0, longNXDomain)
		case a.network == "udp":
			a.reply(0, both(some, func(m *dns.Msg) { m.Truncated = true }))
		default:
			a.reply(0, all)
		}
	})
	addr := serve(t, []netip.AddrPort{company, other}, nil)
	for network, want := range map[string]int{"udp": 2, "tcp": 3} {
		r := mustExchange(t, network, addr, question("wiki.a.example.", dns.TypeA))
		if r.Rcode != 0 || len(r.Answer) != want || r.Truncated != (network == "udp") {
			t.Errorf("%s: got\n%v", network, r)
		}
	}
}

// R23: an answer that fills a message leaves no room for the alias: what can be left out is,
// and where that does not help the client is told.
func TestR23FullMessage(t *testing.T) {
	t.Parallel()
	full := func(m *dns.Msg, size int) {
		m.Compress = true
		for m.Len() < size-300 {
			m.Answer = append(m.Answer, rr("host.b.example. 60 IN TXT "+strings.Repeat("x", 200)))
		}
		m.Answer = append(m.Answer, rr("host.b.example. 60 IN TXT "+strings.Repeat("y", max(1, min(255, size-m.Len()-13)))))
	}
	for _, tc := range []struct {
		what    string
		size    int
		glue    bool
		rcode   int
		answers bool
	}{
		{"it fits", 60000, false, dns.RcodeSuccess, true},
		{"it does not", dns.MaxMsgSize, false, dns.RcodeServerFailure, false},
		{"without what is not needed it does", dns.MaxMsgSize - 400, true, dns.RcodeSuccess, true},
	} {
		company := resolver(t, byName(map[string]func(*dns.Msg){"wiki.a.example.": records("wiki.a.example. 600 IN CNAME host.b.example.")}))
		other := resolver(t, func(a asked) {
			switch {
			case a.name() != "host.b.example.":
				a.reply(0, longNXDomain)
			case a.network == "udp":
				a.reply(0, func(m *dns.Msg) { m.Truncated = true })
			default:
				a.reply(0, func(m *dns.Msg) {
					full(m, tc.size)
					for tc.glue && m.Len() < dns.MaxMsgSize-100 {
						m.Extra = append(m.Extra, rr("ns.b.example. 60 IN TXT "+strings.Repeat("z", 20)))
					}
				})
			}
		})
		addr := serve(t, []netip.AddrPort{company, other}, nil)
		for _, network := range []string{"udp", "tcp"} {
			r := mustExchange(t, network, addr, question("wiki.a.example.", dns.TypeTXT))
			if r.Rcode != tc.rcode || network == "tcp" && (len(r.Answer) > 100) != tc.answers || network == "udp" && r.Truncated != tc.answers {
				t.Errorf("%s, %s: %v with %d answers, TC=%v", tc.what, network, dns.RcodeToString[r.Rcode], len(r.Answer), r.Truncated)
			}
		}
	}
}

// R23: metadata names all who gave a part, and a client's query is counted once, whatever
// further races it leads to.
func TestR23IsReported(t *testing.T) {
	company := resolver(t, byName(map[string]func(*dns.Msg){"wiki.a.example.": records("wiki.a.example. 600 IN CNAME host.b.example."), "x.a.example.": records("x.a.example. 600 IN CNAME x.onion.")}))
	other := resolver(t, byName(map[string]func(*dns.Msg){"host.b.example.": good}))
	h := started(Config{Upstreams: plain(company, other), Values: option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}})
	t.Cleanup(func() { h.Stop() })
	m := h.metrics.of(t.Context())
	counted := func() (all float64) {
		outcomes := make(map[string]float64) // verdicts share some
		for v := range m.races {
			outcomes[race.Verdict(v).String()] = testutil.ToFloat64(m.races[v])
		}
		for _, n := range outcomes {
			all += n
		}
		return all
	}
	before, clients := counted(), 0.0
	for _, tc := range []struct{ name, verdict, upstream string }{
		{"wiki.a.example.", "good", company.String() + "," + other.String()},
		{"host.b.example.", "good", other.String()},
		{"x.a.example.", "nxdomain", company.String()},
		{"none.example.", "nxdomain", company.String()},
	} {
		for _, udp := range []bool{true, false} {
			ctx := metadata.ContextWithMetadata(context.Background())
			w := dnstest.NewRecorder(&test.ResponseWriter{TCP: !udp})
			if _, err := h.ServeDNS(ctx, w, question(tc.name, dns.TypeA)); err != nil {
				t.Errorf("%s: %v", tc.name, err)
			}
			if v, u := metadata.ValueFunc(ctx, "dnsmus/verdict")(), metadata.ValueFunc(ctx, "dnsmus/upstream")(); v != tc.verdict || u != tc.upstream {
				t.Errorf("%s: verdict %s by %s, want %s by %s", tc.name, v, u, tc.verdict, tc.upstream)
			}
			clients++
		}
	}
	if got := counted() - before; got != clients {
		t.Errorf("%v races are counted of %v queries", got, clients)
	}
}

// R22, R23: a private address at the end must be allowed to each that gave a part.
func TestR23PrivateFrom(t *testing.T) {
	alias := map[string]func(*dns.Msg){"evil.example.": records("evil.example. 600 IN CNAME intranet.corp.example.")}
	private := map[string]func(*dns.Msg){"intranet.corp.example.": records("intranet.corp.example. 60 IN A 10.1.0.10")}
	for _, tc := range []struct {
		what    string
		allowed int // the upstream that may give private addresses
		alias   int // the one that gives the alias
		answers int
	}{
		{"the alias of one that may not", 1, 0, 0},
		{"the alias of the one that may", 1, 1, 2},
	} {
		replies := []map[string]func(*dns.Msg){{}, {}}
		for name, edit := range private {
			replies[1][name] = edit
		}
		for name, edit := range alias {
			replies[tc.alias][name] = edit
		}
		upstreams := []netip.AddrPort{resolver(t, byName(replies[0])), resolver(t, byName(replies[1]))}
		addr := serve(t, upstreams, nil, func(c *Config) {
			c.PrivateFrom.Servers = append(c.PrivateFrom.Servers, server.Plain(upstreams[tc.allowed]).ID)
		})
		r := mustExchange(t, "udp", addr, question("evil.example.", dns.TypeA))
		if len(r.Answer) != tc.answers || slices.ContainsFunc(r.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeA }) != (tc.answers > 0) {
			t.Errorf("%s: got\n%v", tc.what, r)
		}
		if r = mustExchange(t, "udp", addr, question("intranet.corp.example.", dns.TypeA)); len(r.Answer) != 1 {
			t.Errorf("%s: asked for the end itself, got\n%v", tc.what, r)
		}
	}
}

// R13, R23: what is asked for an end is what the client asks, in all but the name and, where that is meant, the type; over encrypted
// connections it is padded anew.
func TestR23Query(t *testing.T) {
	r := question("wiki.a.example.", dns.TypeTXT)
	r.SetEdns0(4096, false)
	r.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
	r.CheckingDisabled = true
	c, err := newClient(&test.ResponseWriter{}, r, new(option.Values))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.", "host.b.example.", strings.Repeat("a-long-label.", 15) + "example."} {
		q, err := c.Named(name, dns.TypeTXT)
		if err != nil {
			t.Fatal(err)
		}
		for what, msg := range map[string][]byte{"plain": q.Plain().Msg, "encrypted": q.Encrypted().Msg} {
			m := new(dns.Msg)
			if err := m.Unpack(msg); err != nil {
				t.Fatal(err)
			}
			opt := m.IsEdns0()
			if m.Question[0] != (dns.Question{Name: name, Qtype: dns.TypeTXT, Qclass: dns.ClassINET}) || !m.CheckingDisabled || !m.RecursionDesired || opt == nil || opt.Option[0].Option() != 65001 {
				t.Errorf("%s, %s: asks\n%v", name, what, m)
			}
			if padded := what == "encrypted"; padded != (len(msg)%maxPadding == 0) || len(opt.Option) != map[bool]int{true: 2, false: 1}[padded] {
				t.Errorf("%s, %s: %d bytes, %d options", name, what, len(msg), len(opt.Option))
			}
		}
	}
	if r.Question[0].Name != "wiki.a.example." {
		t.Error("the client's query was changed")
	}
}
