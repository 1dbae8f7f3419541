package handler

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// R11: who asks the same while a race is on shares it, and gets a reply of his
// own.
func TestR11EqualQuestionsShareARace(t *testing.T) {
	const n = 50
	closed := netip.MustParseAddrPort("127.0.0.1:1") // so that the reply is changed for each
	h, addr, release := held(t, nxdomain, n, closed)
	before := racesRun(t)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			m := question("host.example.", dns.TypeA)
			m.SetEdns0(1232, false)
			r := mustExchange(t, "udp", addr, m)
			if r.Rcode != dns.RcodeNameError || len(r.Ns) != 1 || len(r.IsEdns0().Option) != 1 {
				t.Errorf("got\n%v", r)
			}
		})
	}
	inFlight(t, h, n)
	close(release)
	all.Wait()
	if got := racesRun(t) - before; got != 1 {
		t.Errorf("%v races for %d equal questions", got, n)
	}
}

// held runs a server that takes so many clients. One of its upstreams replies when it is
// released, however long that takes.
func held(t *testing.T, edit func(*dns.Msg), clients int, others ...netip.AddrPort) (h *Handler, addr string, release chan struct{}) {
	t.Helper()
	release = make(chan struct{})
	up := resolver(t, func(a asked) { go func() { <-release; a.reply(0, edit) }() })
	h = started(Config{
		Upstreams: plain(append(others, up)...),
		Values: option.Values{
			Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience, NegativeTTL: 5 * time.Second,
			PreferUDP: true, MaxConcurrent: int64(clients),
		},
	})
	return h, serveHandler(t, h), release
}

// inFlight waits until so many clients wait for their races.
func inFlight(t *testing.T, h *Handler, clients int) {
	t.Helper()
	testkit.Eventually(t, func() error {
		if n := h.clients.Load(); n != int64(clients) {
			return fmt.Errorf("%d clients wait, not %d", n, clients)
		}
		return nil
	})
}

// racesRun is the number of all races that are over.
func racesRun(t *testing.T) (n float64) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "coredns_dnsmus_races_total" {
			for _, m := range family.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

// R11: what changes no answer makes no race: each client gets the reply in its own words.
func TestR11FormsOfAQuestion(t *testing.T) {
	edits := []func(*dns.Msg){
		func(*dns.Msg) {},
		func(m *dns.Msg) { m.Question[0].Name = "HOST.example." },
		func(m *dns.Msg) { m.Question[0].Name = "hOsT.eXaMpLe." },
		func(m *dns.Msg) { m.IsEdns0().SetUDPSize(4096) },
		func(m *dns.Msg) { m.Zero = true },
		func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "24a5ac1234567890"}}
		},
	}
	for what, answer := range map[string]func(*dns.Msg){"an answer": good, "a denial": nxdomain} {
		for _, others := range [][]netip.AddrPort{nil, {netip.MustParseAddrPort("127.0.0.1:1")}} { // with the latter a denial is inconclusive
			h, addr, release := held(t, answer, len(edits), others...)
			before := racesRun(t)
			var all sync.WaitGroup
			for _, edit := range edits {
				m := question("host.example.", dns.TypeA)
				m.SetEdns0(1232, false)
				edit(m)
				all.Go(func() {
					r := mustExchange(t, "udp", addr, m)
					if len(r.Answer)+len(r.Ns) != 1 || r.Question[0].Name != m.Question[0].Name || r.Id != m.Id {
						t.Errorf("%s: asked for %s, got\n%v", what, m.Question[0].Name, r)
					}
				})
			}
			inFlight(t, h, len(edits))
			close(release)
			all.Wait()
			if got := racesRun(t) - before; got != 1 {
				t.Errorf("%s: %v races for %d forms of a question", what, got, len(edits))
			}
		}
	}
}

func TestR11UnequalQuestions(t *testing.T) {
	base := func() *dns.Msg {
		m := question("host.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		return m
	}
	edits := []func(*dns.Msg){
		func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA },
		func(m *dns.Msg) { m.RecursionDesired = false },
		func(m *dns.Msg) { m.CheckingDisabled = true },
		func(m *dns.Msg) { m.AuthenticatedData = true },
		func(m *dns.Msg) { m.IsEdns0().SetDo() },
		func(m *dns.Msg) { m.Extra = nil },
		func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}}
		},
	}
	want := 2 + len(edits)
	h, addr, release := held(t, good, want)
	before := racesRun(t)
	var all sync.WaitGroup
	ask := func(network string, m *dns.Msg) {
		all.Go(func() {
			if r := mustExchange(t, network, addr, m); len(r.Answer) != 1 || r.Question[0].Name != m.Question[0].Name {
				t.Errorf("%s: got\n%v", network, r)
			}
		})
	}
	ask("udp", base())
	ask("tcp", base()) // needs the whole reply
	for _, edit := range edits {
		m := base()
		edit(m)
		ask("udp", m)
	}
	inFlight(t, h, want)
	close(release)
	all.Wait()
	if got := racesRun(t) - before; got != float64(want) {
		t.Errorf("%v races for %d different questions", got, want)
	}
}

func TestListeners(t *testing.T) {
	local := func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("127.0.0.1")}
	}
	hosts := func(hosts ...string) (all []netip.Addr) {
		for _, h := range hosts {
			all = append(all, netip.MustParseAddr(h))
		}
		return all
	}
	for _, tc := range []struct {
		hosts []netip.Addr
		addr  string
		want  bool
	}{
		{hosts("127.0.0.1"), "127.0.0.1:53", true},
		{hosts("127.0.0.1"), "127.0.0.1:5353", false},
		{hosts("127.0.0.1"), "127.0.0.1:54", true},
		{hosts("127.0.0.1"), "127.0.0.2:53", false},
		{hosts("127.0.0.1", "::1"), "[::1]:53", true},
		{hosts("fe80::1%eth0"), "[fe80::1%eth0]:53", true},
		{hosts("127.0.0.1"), "[::ffff:127.0.0.1]:53", true},
		{nil, "127.0.0.53:53", true},
		{nil, "192.0.2.7:53", true},
		{nil, "192.0.2.8:53", false},
		{nil, "[fe80::1%eth0]:53", true},
		{nil, "[fe80::1%eth1]:53", false},
		{hosts("fe80::1%eth0"), "[fe80::1%eth1]:53", false}, // a router, on another link
		{hosts("0.0.0.0"), "192.0.2.7:53", true},
		{hosts("0.0.0.0"), "[::1]:53", false},
		{hosts("::"), "192.0.2.7:53", true},
		{hosts("::"), "[::1]:53", true},
		{hosts("192.0.2.9"), "192.0.2.7:53", false},
		{hosts("127.0.0.1"), "tls://127.0.0.1", true},
		{hosts("127.0.0.1"), "quic://127.0.0.1", false},
		{hosts("127.0.0.1"), "127.0.0.1:853", false},
		{hosts("127.0.0.1"), "tls://127.0.0.1:53", false},
	} {
		s, err := server.Parse(tc.addr)
		if err != nil {
			t.Fatal(err)
		}
		l := Listeners{Hosts: tc.hosts, Ports: []Port{{server.DNS, 53}, {server.DNS, 54}, {server.TLS, 853}}}
		if got := l.Include(s, local); got != tc.want {
			t.Errorf("listening on %v, %s is its own: %v, want %v", tc.hosts, tc.addr, got, tc.want)
		}
	}
	found := false
	for _, addr := range localAddrs() {
		found = found || addr.IsLoopback()
	}
	if !found {
		t.Errorf("no loopback among %v", localAddrs())
	}
}

// A client that goes away (HTTPS, QUIC and gRPC clients cancel the context of their query), or
// whose time the cancel plugin ends, does not end the race that it began: others wait for that.
func TestLeaderGoesAway(t *testing.T) {
	t.Parallel()
	for what, leader := range map[string]func() (context.Context, context.CancelFunc){
		"cancelled": func() (context.Context, context.CancelFunc) { return context.WithCancel(context.Background()) },
		"out of time": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(context.Background(), 400*time.Millisecond)
		},
	} {
		first, cancel := leader()
		arrived := make(chan struct{}, 100)
		knows := resolver(t, func(a asked) {
			arrived <- struct{}{}
			context.AfterFunc(first, func() { a.reply(100*time.Millisecond, good) })
		})
		h := started(Config{
			Upstreams: plain(resolver(t, denies(nxdomain)), knows),
			Values:    option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience, MaxConcurrent: 10},
		})
		t.Cleanup(func() { h.Stop() })
		m := question("host.example.", dns.TypeA)
		var clients sync.WaitGroup
		ask := func(ctx context.Context, who string) {
			clients.Go(func() {
				w := dnstest.NewRecorder(&test.ResponseWriter{})
				if _, err := h.ServeDNS(ctx, w, m.Copy()); err != nil || w.Rcode != dns.RcodeSuccess {
					t.Errorf("%s: the %s client gets %s, %v", what, who, dns.RcodeToString[w.Rcode], err)
				}
			})
		}
		ask(first, "first")
		<-arrived
		ask(context.Background(), "second")
		for first.Err() == nil && h.clients.Load() < 2 {
			time.Sleep(time.Millisecond)
		}
		if what == "cancelled" {
			cancel()
		}
		clients.Wait()
		cancel()
	}
}

// Who asks after a change of the list gets the word of those on it.
func TestFlightAcrossReplace(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 100)
	slow := resolver(t, func(a asked) { arrived <- struct{}{}; a.reply(1500*time.Millisecond, nxdomain) })
	knows := resolver(t, func(a asked) { a.reply(0, good) })
	h := started(Config{Upstreams: plain(slow), Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	addr := serveHandler(t, h)
	go exchange("udp", addr, question("host.example.", dns.TypeA))
	<-arrived
	replace(h.pool, plain(slow, knows))
	time.Sleep(time.Second)
	r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
	if r.Rcode != 0 {
		t.Errorf("a second after the upstream that knows was listed: %s", dns.RcodeToString[r.Rcode])
	}
}
