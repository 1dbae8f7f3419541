package handler

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Denials as they come from upstreams, for long. All records live an hour.
func longSOA(m *dns.Msg) {
	m.Ns = []dns.RR{rr("example. 3600 IN SOA ns.example. hostmaster.example. 1 2 3 4 1800")}
}

func longNXDomain(m *dns.Msg) { m.Rcode = dns.RcodeNameError; longSOA(m) }

func longChain(m *dns.Msg) {
	if longSOA(m); m.Question[0].Name != "gone.example." {
		m.Answer = []dns.RR{rr(m.Question[0].Name + " 3600 IN CNAME gone.example.")}
	}
}

// R7: no client is told to keep a denial for long, whichever way it takes.
func TestR7NoDenialForLong(t *testing.T) {
	t.Parallel()
	const asItCame = 3600
	denials := []struct {
		what   string
		says   func(*dns.Msg)
		life   uint32 // of the authority's records, if not an hour
		proven int    // the longest TTL, if all upstreams have said so and the name has an answer of another type
		answer int    // the same of the answer section, if it is not the same
	}{
		{what: "NXDOMAIN", says: longNXDomain, proven: 5},
		{what: "NXDOMAIN of a chain", says: func(m *dns.Msg) { longChain(m); m.Rcode = dns.RcodeNameError }, proven: 5},
		{what: "NODATA", says: longSOA, proven: 60},
		{what: "NODATA with AA", says: func(m *dns.Msg) { longSOA(m); m.Authoritative = true }, proven: 60},
		{what: "NODATA for half a minute", says: longSOA, life: 30, proven: 30},
		{what: "NODATA of a chain", says: longChain, proven: 60, answer: asItCame},
	}
	signed := func(m *dns.Msg) {
		m.Ns = append(m.Ns,
			rr("example. 3600 IN RRSIG SOA 13 1 3600 20300101000000 20260101000000 1 example. AAAA"),
			rr("host.example. 3600 IN NSEC next.example. A RRSIG NSEC"),
			rr("host.example. 3600 IN RRSIG NSEC 13 2 3600 20300101000000 20260101000000 1 example. AAAA"))
	}
	long := func(m *dns.Msg) {
		for i := range 20 {
			m.Ns = append(m.Ns, rr(fmt.Sprintf("example. 3600 IN NS a-rather-long-name-of-server-%d.example.", i)))
		}
	}
	paths := []struct {
		what, network string
		ask           func(*dns.Msg)
		more          func(*dns.Msg) // that the reply has
		proof         bool           // and the client wants that
		truncated     bool
	}{
		{what: "bytes", network: "udp"},
		{what: "bytes with EDNS", network: "udp", ask: func(m *dns.Msg) { m.SetEdns0(1232, false) }},
		{what: "message", network: "udp", ask: func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0011223344556677"}}
		}},
		{what: "TCP", network: "tcp"},
		{what: "DO, not signed", network: "udp", ask: func(m *dns.Msg) { m.SetEdns0(1232, true) }},
		{what: "DO, signed", network: "udp", ask: func(m *dns.Msg) { m.SetEdns0(1232, true) }, more: signed, proof: true},
		{what: "DO, signed, TCP", network: "tcp", ask: func(m *dns.Msg) { m.SetEdns0(1232, true) }, more: signed, proof: true},
		{what: "cut to fit the client", network: "udp", more: long, truncated: true},
	}
	for _, denial := range denials {
		for _, conclusive := range []bool{true, false} {
			for _, proven := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, conclusive %v, proven %v", denial.what, conclusive, proven), func(t *testing.T) {
					t.Parallel()
					for _, path := range paths {
						says := func(m *dns.Msg) {
							denial.says(m)
							if path.more != nil {
								path.more(m)
							}
							for _, rr := range m.Ns {
								rr.Header().Ttl = cmp.Or(denial.life, asItCame)
							}
						}
						address := func(m *dns.Msg) { // it is asked for in any case
							if proven && m.Question[0].Name != "gone.example." {
								withTTL(3600)(m)
							} else {
								longNXDomain(m)
							}
						}
						company := resolver(t, byType(map[uint16]func(*dns.Msg){dns.TypeA: address, dns.TypeMX: soa, dns.TypeAAAA: says}))
						other := resolver(t, denies(longNXDomain))
						if !conclusive {
							other = resolver(t, byType(map[uint16]func(*dns.Msg){dns.TypeA: longNXDomain, dns.TypeMX: longNXDomain, dns.TypeAAAA: code(dns.RcodeServerFailure)}))
						}
						addr := serve(t, []netip.AddrPort{company, other}, nil)
						before := question("host.example.", dns.TypeMX) // that it has none of these either proves no answer
						if proven {
							before = question("HOST.example.", dns.TypeA)
						}
						mustExchange(t, "udp", addr, before)
						m := question("host.example.", dns.TypeAAAA)
						if path.ask != nil {
							path.ask(m)
						}
						r := mustExchange(t, path.network, addr, m)
						authority := 5
						answer := authority
						if proven && conclusive {
							authority, answer = denial.proven, denial.proven
						}
						if conclusive {
							answer = max(answer, denial.answer)
						}
						noData := proven && strings.HasPrefix(denial.what, "NXDOMAIN") && !path.proof // R18
						if r.Truncated != (path.truncated && !noData) {
							t.Errorf("%s: TC is %v", path.what, r.Truncated)
						}
						if noData != (r.Rcode == dns.RcodeSuccess && len(r.Answer)+len(r.Ns) == 0) && !path.truncated {
							t.Errorf("%s: got\n%v", path.what, r)
						}
						if len(r.Ns) == 0 && !path.truncated && !noData {
							t.Errorf("%s: no authority in\n%v", path.what, r)
						}
						mustNotOutlive(t, path.what, r.Ns, authority)
						mustNotOutlive(t, path.what, r.Answer, answer)
					}
				})
			}
		}
	}
}

// mustNotOutlive fails the test unless a section's longest TTL, if it has any, is that.
func mustNotOutlive(t *testing.T, what string, section []dns.RR, want int) {
	t.Helper()
	longest := -1
	for _, rr := range section {
		longest = max(longest, int(rr.Header().Ttl))
	}
	if longest >= 0 && longest != want {
		t.Errorf("%s: a TTL of %d s, want %d, in\n%v", what, longest, want, section)
	}
}

// R7: NODATA of every upstream beside NODATA of another type is no proof that anybody knows
// the name; an answer of another type is one while it lives.
func TestR7ProofIsOfNow(t *testing.T) {
	t.Parallel()
	company := resolver(t, byType(map[uint16]func(*dns.Msg){dns.TypeA: withTTL(1), dns.TypeAAAA: longSOA, dns.TypeHTTPS: longSOA}))
	h := started(Config{Upstreams: plain(company, resolver(t, denies(longSOA))), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}})
	addr := serveHandler(t, h)
	mustLive := func(what string, qtype uint16, want int) {
		t.Helper()
		mustNotOutlive(t, what, mustExchange(t, "udp", addr, question("host.example.", qtype)).Ns, want)
	}
	mustLive("before any answer", dns.TypeAAAA, 5)
	mustLive("beside NODATA", dns.TypeHTTPS, 5)
	mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
	time.Sleep(1100 * time.Millisecond)
	mustLive("after the answer's life", dns.TypeAAAA, 5)
}

// R7: a denial that its upstream has truncated is no exception; one that is signed is, for
// nobody may change it (RFC 5625, section 4.6).
func TestR7Truncated(t *testing.T) {
	h := started(Config{Upstreams: plain(resolver(t, denies(good))), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}})
	t.Cleanup(func() { h.Stop() })
	for _, denial := range []func(*dns.Msg){longNXDomain, longSOA} {
		for _, signed := range []bool{false, true} {
			for _, stream := range []bool{false, true} {
				m := question("host.example.", dns.TypeA)
				raw := asked{msg: m}.pack(func(m *dns.Msg) {
					denial(m)
					m.Truncated = true
					if signed {
						m.Extra = []dns.RR{&dns.TSIG{Hdr: dns.RR_Header{Name: "key.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256}}
					}
				})
				out := &pool.Result{Result: race.Result{Leg: 0, Verdict: race.Judge(raw, race.Policy{}), Msg: raw}, Members: h.pool.Members()}
				if out.Verdict == race.Truncated && stream {
					continue // they get SERVFAIL
				}
				w := new(wireWriter)
				if _, err := h.finish(t.Context(), w, &client{request: m, stream: stream}, out); err != nil {
					t.Fatal(err)
				}
				r, want := new(dns.Msg), 5
				if err := r.Unpack(w.got); err != nil || len(r.Ns) != 1 {
					t.Fatalf("%v, %v", err, r)
				}
				if signed {
					want = 3600
				}
				mustNotOutlive(t, fmt.Sprintf("%v, signed %v, stream %v", out.Verdict, signed, stream), r.Ns, want)
			}
		}
	}
}
