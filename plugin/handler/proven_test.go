package handler

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
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
)

// byType is a resolver that replies differently to each type of question.
func byType(says map[uint16]func(*dns.Msg)) func(asked) {
	return func(a asked) { a.reply(0, says[a.msg.Question[0].Qtype]) }
}

// withTTL is a good answer that lives so long.
func withTTL(ttl uint32) func(*dns.Msg) {
	return func(m *dns.Msg) { good(m); m.Answer[0].Header().Ttl = ttl }
}

// mustBeNoData fails the test unless r shows that the name exists, in a way that no
// cache keeps, and names who gave no opinion if it may.
func mustBeNoData(t *testing.T, r *dns.Msg, edns bool, names string) {
	t.Helper()
	if r.Rcode != dns.RcodeSuccess || len(r.Answer)+len(r.Ns) != 0 || r.Authoritative || r.AuthenticatedData || !r.RecursionAvailable || r.Truncated || (r.IsEdns0() != nil) != edns {
		t.Errorf("want NODATA, got\n%v", r)
		return
	}
	if !edns {
		return
	}
	if o := r.IsEdns0().Option; len(o) != 1 || o[0].(*dns.EDNS0_EDE).InfoCode != dns.ExtendedErrorCodeNoReachableAuthority || !strings.Contains(o[0].(*dns.EDNS0_EDE).ExtraText, names) {
		t.Errorf("want %s in an extended error, got\n%v", names, r)
	}
}

// R18: while what proves a name lives, another's denial of it is none, whatever becomes
// of the other types at the upstream that knows it.
func TestR18Proven(t *testing.T) {
	for what, fails := range map[string]func(*dns.Msg){
		"REFUSED":  code(dns.RcodeRefused),
		"SERVFAIL": code(dns.RcodeServerFailure),
		"NOTIMP":   code(dns.RcodeNotImplemented),
		"referral": referral,
	} {
		for _, denial := range []func(*dns.Msg){nxdomain, code(dns.RcodeNameError)} {
			knows := byType(map[uint16]func(*dns.Msg){dns.TypeA: good, dns.TypeAAAA: fails, dns.TypeHTTPS: fails, dns.TypeMX: soa})
			company := resolver(t, func(a asked) {
				if !strings.EqualFold(a.msg.Question[0].Name, "host.example.") {
					a.reply(0, fails)
					return
				}
				knows(a)
			})
			for _, warm := range []uint16{dns.TypeA, dns.TypeMX} {
				addr := serve(t, []netip.AddrPort{resolver(t, denies(denial)), company}, nil)
				for _, network := range []string{"udp", "tcp"} {
					mustBeNoData(t, mustExchange(t, network, addr, question("host.example.", dns.TypeAAAA)), false, "") // cold: A is asked for
					mustExchange(t, network, addr, question("HOST.example.", warm))
					for _, qtype := range []uint16{dns.TypeAAAA, dns.TypeHTTPS} {
						m := question("host.EXAMPLE.", qtype)
						mustBeNoData(t, mustExchange(t, network, addr, m), false, "")
						m.SetEdns0(1232, false)
						mustBeNoData(t, mustExchange(t, network, addr, m), true, company.String())
						m.IsEdns0().SetDo()
						mustBeNoData(t, mustExchange(t, network, addr, m), true, company.String())
					}
					if r := mustExchange(t, network, addr, question("other.host.example.", dns.TypeAAAA)); r.Rcode != dns.RcodeNameError {
						t.Errorf("%s, another name: got\n%v", what, r)
					}
				}
			}
		}
	}
}

// R18: a resolver that has A alone denies the name for all other types, and so does another one.
// No client is told that, whichever types it asks for alone, in any order, over UDP and TCP, with DO
// or without, six clients at once, with a cache and without, before a reload of the upstreams, in it
// and after it.
func TestR18OneTypeAlone(t *testing.T) {
	t.Parallel()
	types := []uint16{dns.TypeMX, dns.TypeTXT, dns.TypeSRV, dns.TypeNS, dns.TypeSOA, dns.TypeCAA, dns.TypeHTTPS, dns.TypeANY, 65535}
	alone := byType(map[uint16]func(*dns.Msg){dns.TypeA: good})
	company := resolver(t, func(a asked) {
		switch {
		case strings.HasPrefix(a.name(), "nobody"):
			a.reply(0, nxdomain)
		case a.msg.Question[0].Qtype == dns.TypeA:
			alone(a)
		default:
			a.reply(0, nxdomain)
		}
	})
	public, third := resolver(t, denies(nxdomain)), resolver(t, denies(nxdomain))
	for _, cached := range []int{0, 1024} {
		h := started(Config{Upstreams: plain(public, company), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second, Cache: cached}})
		addr := serveHandler(t, h)
		n := 0
		look := func(qtype uint16, network string, do bool) {
			t.Helper()
			m := question(fmt.Sprintf("host%d.example.", n), qtype)
			if n++; do {
				m.SetEdns0(1232, true)
			}
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					if r := mustExchange(t, network, addr, m.Copy()); r.Rcode != dns.RcodeSuccess || len(r.Answer)+len(r.Ns) > 0 {
						t.Errorf("cache %d, %s, DO %v: got\n%v", cached, network, do, r)
					}
				})
			}
			all.Wait()
		}
		for _, upstreams := range [][]netip.AddrPort{{public, company}, {company, public, third}} {
			replace(h.pool, plain(upstreams...))
			for _, qtype := range types {
				for _, network := range []string{"udp", "tcp"} {
					look(qtype, network, false)
					look(qtype, network, true)
				}
			}
			name := question(fmt.Sprintf("nobody%d.example.", len(upstreams)), dns.TypeMX)
			if r := mustExchange(t, "udp", addr, name); r.Rcode != dns.RcodeNameError {
				t.Errorf("what nobody knows: got\n%v", r)
			}
		}
		var reloads sync.WaitGroup
		reloads.Go(func() {
			for i := range 20 {
				replace(h.pool, plain([][]netip.AddrPort{{public, company}, {company, public, third}}[i%2]...))
			}
		})
		for _, qtype := range types {
			look(qtype, "udp", false)
		}
		reloads.Wait()
	}
}

// R18, R24: a denial that is kept is not given any more when the name is found to exist, but for one
// that is signed, to a client that checks that.
func TestR18KeptDenial(t *testing.T) {
	t.Parallel()
	var known atomic.Bool
	signed := func(m *dns.Msg) {
		nxdomain(m)
		m.Ns = append(m.Ns, rr("example. 3600 IN RRSIG SOA 13 1 3600 20300101000000 20260101000000 1 example. AAAA"))
	}
	company := resolver(t, func(a asked) {
		switch {
		case known.Load() && a.msg.Question[0].Qtype == dns.TypeA:
			a.reply(0, good)
		case strings.HasPrefix(a.name(), "signed"):
			a.reply(0, signed)
		default:
			a.reply(0, nxdomain)
		}
	})
	h := started(Config{Upstreams: plain(company), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: time.Minute, Cache: 1024}})
	addr := serveHandler(t, h)
	rcode := func(name string, qtype uint16, do bool) string {
		m := question(name, qtype)
		if do {
			m.SetEdns0(1232, true)
		}
		return dns.RcodeToString[mustExchange(t, "udp", addr, m).Rcode]
	}
	for _, exists := range []bool{false, true} {
		known.Store(exists)
		if exists { // A is denied by what is kept as well; another resolver's client finds out
			for _, name := range []string{"host.example.", "signed.example."} {
				mustExchange(t, "udp", addr, withOption(question(name, dns.TypeA)))
			}
		}
		for _, do := range []bool{false, true} {
			for _, qtype := range []uint16{dns.TypeMX, dns.TypeAAAA} {
				for _, name := range []string{"host.example.", "signed.example."} {
					want := map[bool]string{false: "NXDOMAIN", true: "NOERROR"}[exists && !(do && name[0] == 's')]
					if got := rcode(name, qtype, do); got != want {
						t.Errorf("%s %s, DO %v, exists %v: %s, want %s", name, dns.Type(qtype), do, exists, got, want)
					}
				}
			}
		}
	}
}

// withOption is a query with an option, which no reply is kept for.
func withOption(m *dns.Msg) *dns.Msg {
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte{1}}}
	return m
}

// A name is denied again when its proof is over, when who gave it denies the name, and
// when the upstreams are others.
func TestR18ProofGoes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	says := make(map[uint16]func(*dns.Msg))
	will := func(qtype uint16, f func(*dns.Msg)) { mu.Lock(); says[qtype] = f; mu.Unlock() }
	company := resolver(t, func(a asked) {
		mu.Lock()
		f := says[a.msg.Question[0].Qtype]
		mu.Unlock()
		a.reply(0, f)
	})
	public, third := resolver(t, denies(nxdomain)), resolver(t, denies(nxdomain))
	h := started(Config{Upstreams: plain(public, company), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}})
	addr := serveHandler(t, h)
	ask := func(qtype uint16) *dns.Msg { return mustExchange(t, "udp", addr, question("host.example.", qtype)) }
	denied := func(what string, qtype uint16) {
		t.Helper()
		if r := ask(qtype); r.Rcode != dns.RcodeNameError {
			t.Errorf("%s: got\n%v", what, r)
		}
	}
	will(dns.TypeAAAA, code(dns.RcodeRefused))

	will(dns.TypeA, withTTL(60))
	ask(dns.TypeA)
	mustBeNoData(t, ask(dns.TypeAAAA), false, "")
	replace(h.pool, plain(public, company)) // which changes nothing
	mustBeNoData(t, ask(dns.TypeAAAA), false, "")

	will(dns.TypeA, code(dns.RcodeServerFailure))
	denied("the type that was proven itself", dns.TypeA)
	mustBeNoData(t, ask(dns.TypeAAAA), false, "")

	will(dns.TypeA, nxdomain)
	denied("who proved it denies it", dns.TypeA)
	denied("who proved it has denied it", dns.TypeAAAA)

	will(dns.TypeA, withTTL(60))
	ask(dns.TypeA)
	mustBeNoData(t, ask(dns.TypeAAAA), false, "")
	replace(h.pool, plain(public, company, third))
	will(dns.TypeA, code(dns.RcodeServerFailure)) // else it would prove it again
	denied("the upstreams are others", dns.TypeAAAA)

	will(dns.TypeA, withTTL(1))
	ask(dns.TypeA)
	time.Sleep(1100 * time.Millisecond)
	will(dns.TypeA, code(dns.RcodeServerFailure))
	denied("its time is over", dns.TypeAAAA)
}

// R18: a bogus answer proves nothing; a chain that leads nowhere shows by itself that its
// name exists, and stays.
func TestR18Unproven(t *testing.T) {
	hijacked := resolver(t, byType(map[uint16]func(*dns.Msg){dns.TypeA: good, dns.TypeAAAA: code(dns.RcodeRefused)}))
	addr := serve(t, []netip.AddrPort{resolver(t, denies(nxdomain)), hijacked}, nil, func(c *Config) {
		c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	})
	mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeAAAA)); r.Rcode != dns.RcodeNameError {
		t.Errorf("a bogus answer is a proof:\n%v", r)
	}

	gone := func(m *dns.Msg) {
		if nxdomain(m); m.Question[0].Name == "host.example." {
			m.Answer = []dns.RR{rr("host.example. 60 IN CNAME gone.example.")}
		}
	}
	answers := func(m *dns.Msg) {
		if good(m); m.Question[0].Name == "gone.example." {
			nxdomain(m)
		}
	}
	knows := resolver(t, byType(map[uint16]func(*dns.Msg){dns.TypeA: answers, dns.TypeAAAA: gone}))
	addr = serve(t, []netip.AddrPort{resolver(t, denies(nxdomain)), knows}, nil)
	mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeAAAA)); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 0 {
		t.Errorf("a chain to nowhere denies the type of a name that has an answer:\n%v", r)
	}
	addr = serve(t, []netip.AddrPort{resolver(t, denies(nxdomain)), knows}, nil)
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeAAAA)); r.Rcode != dns.RcodeNameError || len(r.Answer) != 1 {
		t.Errorf("without an answer, a chain does not stay as it is:\n%v", r)
	}
}

// All who share a race get its NODATA; metrics and metadata have the reply that was given.
func TestR18IsReported(t *testing.T) {
	const many = 20
	arrived, release := make(chan struct{}, 10), make(chan struct{})
	company := resolver(t, func(a asked) {
		if a.msg.Question[0].Qtype == dns.TypeA {
			a.reply(0, good)
			return
		}
		arrived <- struct{}{}
		go func() { <-release; a.reply(0, code(dns.RcodeRefused)) }()
	})
	h := started(Config{Upstreams: plain(resolver(t, denies(nxdomain)), company), Values: option.Values{Rules: race.Rules{Timeout: time.Minute}, Patience: time.Minute}})
	t.Cleanup(func() { h.Stop() })
	ask := func(qtype uint16) (*dns.Msg, context.Context) {
		ctx := metadata.ContextWithMetadata(t.Context())
		w := dnstest.NewRecorder(&test.ResponseWriter{})
		if _, err := h.ServeDNS(ctx, w, question("host.example.", qtype)); err != nil {
			t.Error(err)
		}
		return w.Msg, ctx
	}
	ask(dns.TypeA)
	m := h.metrics.of(t.Context())
	before, denials, noData := testutil.ToFloat64(m.proven), testutil.ToFloat64(m.races[race.NXDomainSOA]), testutil.ToFloat64(m.races[race.NoData])
	var all sync.WaitGroup
	for range many {
		all.Go(func() {
			r, ctx := ask(dns.TypeAAAA)
			mustBeNoData(t, r, false, "")
			if v := metadata.ValueFunc(ctx, "dnsmus/verdict")(); v != "nodata" || metadata.ValueFunc(ctx, "dnsmus/upstream") != nil {
				t.Errorf("verdict %s, or an upstream is named", v)
			}
		})
	}
	<-arrived
	close(release)
	all.Wait()
	races := testutil.ToFloat64(m.races[race.NoData]) - noData
	if got := testutil.ToFloat64(m.proven) - before; got < 1 || got != races || testutil.ToFloat64(m.races[race.NXDomainSOA]) != denials {
		t.Errorf("%v are counted, of %v races", got, races)
	}
}
