package handler

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/resolvconf"
)

// R11: who asks the same while a race is on shares it, and gets a reply of his
// own.
func TestR11EqualQuestionsShareARace(t *testing.T) {
	var queries atomic.Int64
	release := make(chan struct{})
	up := resolver(t, func(a asked) {
		queries.Add(1)
		go func() { <-release; a.reply(0, nxdomain) }()
	})
	closed := netip.MustParseAddrPort("127.0.0.1:1") // so that the reply is changed for each
	addr := serve(t, []netip.AddrPort{up, closed}, nil, func(c *Config) { c.Rules.Timeout = 10 * time.Second })

	const n = 50
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
	time.Sleep(300 * time.Millisecond) // longer than a packet is waited for: it may be sent again
	if got := queries.Load(); got < 1 || got > 3 {
		t.Errorf("%d packets for %d equal questions", got, n)
	}
	close(release)
	all.Wait()
}

func TestR11UnequalQuestions(t *testing.T) {
	base := func() *dns.Msg {
		m := question("host.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		return m
	}
	var queries atomic.Int64
	release := make(chan struct{})
	up := resolver(t, func(a asked) {
		queries.Add(1)
		go func() { <-release; a.reply(0, good) }()
	})
	addr := serve(t, []netip.AddrPort{up}, nil, func(c *Config) { c.PreferUDP = true })
	edits := []func(*dns.Msg){
		func(m *dns.Msg) { m.Question[0].Name = "HOST.example." },
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
	want := int64(2 + len(edits))
	for range 100 { // until all have arrived
		if queries.Load() >= want {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if got := queries.Load(); got != want {
		t.Errorf("%d queries went out for %d different questions", got, want)
	}
	close(release)
	all.Wait()
}

func TestListeners(t *testing.T) {
	local := func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("127.0.0.1")}
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
		server, err := resolvconf.ParseServer(tc.addr)
		if err != nil {
			t.Fatal(err)
		}
		l := Listeners{Hosts: tc.hosts, Ports: []Port{{resolvconf.DNS, 53}, {resolvconf.DNS, 54}, {resolvconf.TLS, 853}}}
		if got := l.Include(server, local); got != tc.want {
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
