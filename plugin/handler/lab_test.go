package handler

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

func TestMain(m *testing.M) {
	dnsserver.EnableChaos[Name] = struct{}{} // let other classes than IN reach the plugin
	testkit.MainNoLeaks(m)
}

// asked is a query as a resolver of the lab gets it.
type asked struct {
	network string // "udp" or "tcp"
	n       int    // how many came before, over any network
	raw     []byte
	msg     *dns.Msg
	send    func(raw []byte)
}

// reply sends a reply to the query, changed by edit, after a while.
func (a asked) reply(after time.Duration, edit func(m *dns.Msg)) {
	a.raws(after, a.pack(edit))
}

func (a asked) pack(edit func(m *dns.Msg)) []byte {
	m := new(dns.Msg)
	m.SetReply(a.msg)
	m.RecursionAvailable = true
	if edit != nil {
		edit(m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func (a asked) raws(after time.Duration, raw []byte) {
	if after == 0 {
		a.send(raw)
	} else {
		time.AfterFunc(after, func() { a.send(raw) })
	}
}

// name is the one that is asked for.
func (a asked) name() string { return a.msg.Question[0].Name }

// events are what some of the lab's resolvers wait for, by the name that is asked for.
// What they send in an order arrives so at a handler, for it comes to one port.
type events struct {
	mu sync.Mutex
	by map[string]chan struct{}
}

// of is closed once it has happened.
func (e *events) of(name string) chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.by == nil {
		e.by = make(map[string]chan struct{})
	}
	if e.by[name] == nil {
		e.by[name] = make(chan struct{})
	}
	return e.by[name]
}

func (e *events) happened(name string) {
	c := e.of(name)
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-c: // the query came again
	default:
		close(c)
	}
}

// resolver runs a resolver that lets behave do the rest.
func resolver(t *testing.T, behave func(asked)) netip.AddrPort {
	t.Helper()
	testkit.Logged(t)
	var n atomic.Int32
	sent := new(capture)
	at := testkit.Resolver(t, func(network string, raw []byte, send func([]byte)) {
		m := new(dns.Msg)
		if err := m.Unpack(raw); err != nil {
			t.Errorf("upstream got junk: %v: % x", err, raw)
			return
		}
		behave(asked{network: network, n: int(n.Add(1)) - 1, raw: raw, msg: m, send: func(raw []byte) {
			sent.add(network, raw)
			send(raw)
		}})
	})
	captures.Store(at, sent)
	t.Cleanup(func() { captures.Delete(at) })
	return at
}

// serve runs a CoreDNS server that has the plugin with these upstreams, and
// next behind it, and returns its address for UDP and TCP.
func serve(t *testing.T, upstreams []netip.AddrPort, next plugin.Handler, change ...func(*Config)) string {
	t.Helper()
	h := started(serving(upstreams, change...))
	h.Next = next
	return serveHandler(t, h)
}

// serving is the configuration of a server with these upstreams.
func serving(upstreams []netip.AddrPort, change ...func(*Config)) Config {
	cfg := Config{
		Upstreams: plain(upstreams...),
		Values: option.Values{
			Rules:       patientRules,
			Patience:    testkit.Patience,
			NegativeTTL: 5 * time.Second,
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	return cfg
}

// started is a handler as a server has it.
func started(cfg Config) *Handler { return waiting(cfg, 0) }

// waiting is started, but that races wait so long for the upstream that knows a zone, and
// for a better answer; 0 is as the rules have it.
func waiting(cfg Config, wait time.Duration) *Handler {
	h := New(cfg)
	c := poolConfig(cfg.Values)
	h.hook(&c)
	c.Hedge, c.Grace = wait, wait
	h.pool = pool.New(c)
	if err := h.Start(); err != nil {
		panic(err)
	}
	return h
}

// plain are servers of plain DNS at these addresses.
func plain(addrs ...netip.AddrPort) (list []server.Server) {
	for _, addr := range addrs {
		list = append(list, server.Plain(addr))
	}
	return list
}

func equal(a, b []server.Server) bool { return slices.EqualFunc(a, b, server.Server.Equal) }

// testRules are those of the stanza's defaults.
var testRules = race.Rules{Timeout: 4 * time.Second}

// patientRules are for upstreams that reply, as late as a busy machine has them do so.
var patientRules = race.Rules{Timeout: testkit.Patience}

// serveHandler runs a CoreDNS server that has h, and returns its address.
func serveHandler(t *testing.T, h *Handler) string {
	t.Helper()
	return run(t, h, func(plugin.Handler) plugin.Handler { return h })
}

// run runs a CoreDNS server with the plugin, which leads to h.
func run(t *testing.T, h *Handler, p plugin.Plugin) string {
	t.Helper()
	testkit.Logged(t)
	site := &dnsserver.Config{Zone: ".", Transport: "dns", ListenHosts: []string{"127.0.0.1"}, Port: "0"}
	site.AddPlugin(p)
	var (
		udp net.PacketConn
		tcp net.Listener
		s   *dnsserver.Server
	)
	for range 10 {
		var err error
		if s, err = dnsserver.NewServer("dns://127.0.0.1:0", []*dnsserver.Config{site}); err != nil {
			t.Fatal(err)
		}
		if udp, err = s.ListenPacket(); err != nil {
			t.Fatal(err)
		}
		if tcp, err = net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			break
		}
		udp.Close()
	}
	var all sync.WaitGroup
	all.Go(func() { s.ServePacket(udp) })
	all.Go(func() { s.Serve(tcp) })
	addr := udp.LocalAddr().String()
	ask := new(dns.Msg)
	ask.SetQuestion("ready.", dns.TypeA)
	ask.Question[0].Qclass = dns.ClassNONE // not raced
	for _, network := range []string{"udp", "tcp"} {
		if _, err := exchange(network, addr, ask); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.Stop()
		h.Stop()
		all.Wait()
	})
	return addr
}

// exchange asks as a client does that waits for long.
func exchange(network, addr string, m *dns.Msg) (*dns.Msg, error) {
	c := dns.Client{Net: network, Timeout: testkit.Patience, UDPSize: dns.MaxMsgSize}
	r, _, err := c.Exchange(m, addr)
	return r, err
}

func mustExchange(t *testing.T, network, addr string, m *dns.Msg) *dns.Msg {
	t.Helper()
	r, err := exchange(network, addr, m)
	if err != nil {
		t.Fatalf("%s: %v", network, err)
	}
	if r.Id != m.Id {
		t.Errorf("%s: id %d in reply to %d", network, r.Id, m.Id)
	}
	return r
}

func question(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(name, qtype)
	m.Id = uint16(rand.Uint32())
	return m
}

// Replies of the lab's resolvers.

func rr(s string) dns.RR {
	r, err := dns.NewRR(s)
	if err != nil {
		panic(err)
	}
	return r
}

func good(m *dns.Msg) {
	record, ok := map[uint16]string{dns.TypeAAAA: "AAAA 2001:db8::1", dns.TypeHTTPS: "HTTPS 1 .", dns.TypeTXT: "TXT x", dns.TypeMX: "MX 1 ."}[m.Question[0].Qtype]
	if !ok {
		record = "A 192.0.2.1"
	}
	m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN " + record)}
}

func soa(m *dns.Msg) {
	m.Ns = []dns.RR{rr("example. 60 IN SOA ns.example. hostmaster.example. 1 2 3 4 60")}
}

// idle is the reply of a server that neither knows the name nor looks for it.
func idle(m *dns.Msg) { m.RecursionAvailable = false }

// referral is the same, of one that knows who may know it.
func referral(m *dns.Msg) {
	idle(m)
	m.Ns = []dns.RR{rr("example. 86400 IN NS ns.example.")}
}

func nxdomain(m *dns.Msg) { m.Rcode = dns.RcodeNameError; soa(m) }

// hijack is an IPv4 address of a name that nobody has.
func hijack(m *dns.Msg) {
	if m.Question[0].Qtype == dns.TypeA {
		good(m)
	} else {
		nxdomain(m)
	}
}

func code(rcode int) func(*dns.Msg) { return func(m *dns.Msg) { m.Rcode = rcode } }
