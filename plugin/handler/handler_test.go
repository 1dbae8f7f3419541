package handler

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// says is a next plugin that replies by itself.
var says = plugin.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	m := new(dns.Msg)
	m.SetReply(r)
	m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeTXT, Class: r.Question[0].Qclass}, Txt: []string{"next"}}}
	w.WriteMsg(m)
	return 0, nil
})

// R12: what resolvers cannot be asked goes to the next plugin, or is refused.
func TestR12NotRaced(t *testing.T) {
	up := []netip.AddrPort{resolver(t, func(a asked) { t.Errorf("upstream was asked %v", a.msg.Question); a.reply(0, good) })}
	for what, edit := range map[string]func(*dns.Msg){
		"class CH": func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"AXFR":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAXFR },
		"IXFR":     func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeIXFR },
		"NOTIFY":   func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
	} {
		m := question("example.", dns.TypeSOA)
		edit(m)
		for _, network := range []string{"udp", "tcp"} {
			if r := mustExchange(t, network, serve(t, up, nil), m); r.Rcode != dns.RcodeRefused {
				t.Errorf("%s alone: got\n%v", what, r)
			}
			if r := mustExchange(t, network, serve(t, up, says), m); r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
				t.Errorf("%s with a next plugin: got\n%v", what, r)
			}
		}
	}
}

func TestExcept(t *testing.T) {
	up := []netip.AddrPort{resolver(t, denies(good))}
	addr := serve(t, up, says, func(c *Config) { c.Except = plugin.Zones{"local.example.", "10.in-addr.arpa."} })
	for name, next := range map[string]bool{
		"host.example.":             false,
		"notlocal.example.":         false,
		"local.example.":            true,
		"host.LOCAL.example.":       true,
		"1.0.0.10.in-addr.arpa.":    true,
		"1.2.168.192.in-addr.arpa.": false,
	} {
		r := mustExchange(t, "udp", addr, question(name, dns.TypeA))
		if got := len(r.Answer) == 1 && r.Answer[0].Header().Rrtype == dns.TypeTXT; got != next {
			t.Errorf("%s went to the next plugin: %v, want %v", name, got, next)
		}
	}
	// Without a next plugin such a name fails; it is not raced after all.
	addr = serve(t, up, nil, func(c *Config) { c.Except = plugin.Zones{"."} })
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("got\n%v", r)
	}
}

// R13: cookies stay on their hop, all else travels.
func TestR13Outgoing(t *testing.T) {
	m := question("HoSt.example.", dns.TypeA)
	m.CheckingDisabled, m.AuthenticatedData, m.Zero, m.RecursionDesired = true, true, true, false
	m.SetEdns0(4096, true)
	opt := m.IsEdns0()
	opt.Hdr.Ttl |= 0x4000 // a flag of tomorrow
	opt.Option = []dns.EDNS0{
		&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"},
		&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 24, Address: net.IPv4(192, 0, 2, 0)},
		&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("whatever")},
		&dns.EDNS0_PADDING{Padding: make([]byte, 7)},
		&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE},
	}
	before, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		what      string
		encrypted bool
		size      uint16 // the client's
		wantSize  uint16
	}{
		{"plain", false, 4096, upstream.MaxUDPSize},
		{"plain, small", false, 700, 700},
		{"encrypted", true, 4096, dns.MaxMsgSize},
	} {
		opt.SetUDPSize(tc.size)
		raw, err := outgoing(m, tc.encrypted)
		if err != nil {
			t.Fatal(err)
		}
		got := new(dns.Msg)
		if err := got.Unpack(raw); err != nil {
			t.Fatal(err)
		}
		o := got.IsEdns0()
		if tc.encrypted { // it hides the length of the name
			if n := len(o.Option); n != 3 || o.Option[2].Option() != dns.EDNS0PADDING || len(raw)%maxPadding != 0 {
				t.Errorf("%d bytes with %v", len(raw), o)
			}
			o.Option = o.Option[:2]
		}
		if got.Question[0] != m.Question[0] || !got.CheckingDisabled || !got.AuthenticatedData || !got.Zero || got.RecursionDesired {
			t.Errorf("%s: header or question changed:\n%v", tc.what, got)
		}
		if o.Hdr.Ttl != opt.Hdr.Ttl || len(o.Option) != 2 || o.Option[0].String() != opt.Option[1].String() || o.Option[1].String() != opt.Option[2].String() {
			t.Errorf("%s: OPT changed:\n%v", tc.what, o)
		}
		if o.UDPSize() != tc.wantSize {
			t.Errorf("%s: size %d, want %d", tc.what, o.UDPSize(), tc.wantSize)
		}
	}
	opt.SetUDPSize(4096)
	if after, err := m.Pack(); err != nil || !bytes.Equal(before, after) {
		t.Error("the client's message was changed")
	}
}

// A signed query must arrive as it was signed, but for its id.
func TestOutgoingSigned(t *testing.T) {
	m := question("host.example.", dns.TypeA)
	m.SetEdns0(4096, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}}
	m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix())
	signed, _, err := dns.TsigGenerate(m, "c2VjcmV0", "", false)
	if err != nil {
		t.Fatal(err)
	}
	got := new(dns.Msg)
	if err := got.Unpack(signed); err != nil {
		t.Fatal(err)
	}
	raw, err := outgoing(got, false)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, signed) {
		t.Errorf("sent\n% x\nfor\n% x", raw, signed)
	}
}

// More queries than max_concurrent are refused, and no longer than need be.
func TestMaxConcurrent(t *testing.T) {
	release := make(chan struct{})
	up := resolver(t, func(a asked) {
		go func() { <-release; a.reply(0, good) }()
	})
	addr := serve(t, []netip.AddrPort{up}, nil, func(c *Config) { c.MaxConcurrent, c.Rules.Timeout = 2, testkit.Patience })
	before, said := testutil.ToFloat64(maxConcurrentRejects), testkit.Logged(t)
	codes := make(chan int, 5)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			r, err := exchange("udp", addr, question("host.example.", dns.TypeA))
			if err != nil {
				t.Error(err)
				return
			}
			codes <- r.Rcode
		})
	}
	for range 3 {
		if c := <-codes; c != dns.RcodeRefused {
			t.Errorf("rcode %s beyond the limit", dns.RcodeToString[c])
		}
	}
	close(release)
	all.Wait()
	for range 2 {
		if c := <-codes; c != dns.RcodeSuccess {
			t.Errorf("rcode %s within the limit", dns.RcodeToString[c])
		}
	}
	if got := testutil.ToFloat64(maxConcurrentRejects) - before; got != 3 {
		t.Errorf("%v rejects were counted, want 3", got)
	}
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)); r.Rcode != dns.RcodeSuccess {
		t.Errorf("after that: got\n%v", r)
	}
	if n := said.Count("More than 2 queries are under way"); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// CoreDNS's conventions: 0 after a reply was written. A race that brought nothing is no error:
// what is wrong with an upstream is logged by itself.
func TestServeDNS(t *testing.T) {
	up := resolver(t, func(a asked) {
		if a.msg.Question[0].Name == "good.example." {
			a.reply(0, good)
		} else {
			a.reply(0, code(dns.RcodeServerFailure))
		}
	})
	closed := netip.MustParseAddrPort("127.0.0.1:1")
	serveOnce := func(h *Handler, name string) (*dnstest.Recorder, context.Context, error) {
		ctx := metadata.ContextWithMetadata(context.Background())
		w := dnstest.NewRecorder(&test.ResponseWriter{})
		m := question(name, dns.TypeA)
		sent := m.Copy()
		code, err := h.ServeDNS(ctx, w, m)
		if code != 0 {
			t.Errorf("%s: returned %d", name, code)
		}
		if m.String() != sent.String() {
			t.Errorf("%s: the client's message was changed:\n%v", name, m)
		}
		return w, ctx, err
	}
	value := func(ctx context.Context, label string) string {
		if f := metadata.ValueFunc(ctx, label); f != nil {
			return f()
		}
		return ""
	}
	h := started(Config{Upstreams: plain(closed, up), Values: option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience}})
	t.Cleanup(func() { h.Stop(); h.Stop() })
	if h.Name() != "dnsmus" || !h.Ready() || New(Config{}).Ready() {
		t.Error("name or readiness is wrong")
	}
	w, ctx, err := serveOnce(h, "good.example.")
	if err != nil || w.Rcode != dns.RcodeSuccess || len(w.Msg.Answer) != 1 {
		t.Errorf("got %v and\n%v", err, w.Msg)
	}
	if value(ctx, "dnsmus/upstream") != up.String() || value(ctx, "dnsmus/verdict") != "good" {
		t.Errorf("metadata: %q, %q", value(ctx, "dnsmus/upstream"), value(ctx, "dnsmus/verdict"))
	}
	w, ctx, err = serveOnce(h, "bad.example.")
	if err != nil || w.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %v and\n%v", err, w.Msg)
	}
	if value(ctx, "dnsmus/upstream") != up.String() || value(ctx, "dnsmus/verdict") != "servfail" {
		t.Errorf("metadata: %q, %q", value(ctx, "dnsmus/upstream"), value(ctx, "dnsmus/verdict"))
	}

	dead := started(Config{Upstreams: plain(closed), Values: option.Values{Rules: race.Rules{Timeout: testkit.Patience}, Patience: testkit.Patience}})
	t.Cleanup(func() { dead.Stop() })
	w, ctx, err = serveOnce(dead, "good.example.")
	if err != nil || w.Rcode != dns.RcodeServerFailure || testkit.Logged(t).Count("Upstream 127.0.0.1:1 fails: connection refused") == 0 {
		t.Errorf("got %v and\n%v", err, w.Msg)
	}
	if value(ctx, "dnsmus/upstream") != "" || value(ctx, "dnsmus/verdict") != "none" {
		t.Errorf("metadata: %q, %q", value(ctx, "dnsmus/upstream"), value(ctx, "dnsmus/verdict"))
	}
}

func TestMetricsLint(t *testing.T) {
	races.WithLabelValues("dns://:53", "good").Inc()
	raceDuration.WithLabelValues("dns://:53").Observe(0)
	inconclusive.WithLabelValues("dns://:53").Inc()
	proven.WithLabelValues("dns://:53").Inc()
	reloads.WithLabelValues("success").Add(0)
	s := useSeries("192.0.2.1:53")
	defer s.release()
	s.duration(dns.RcodeSuccess).Observe(0)
	for _, c := range []prometheus.Collector{buildInfo, races, raceDuration, wins, inconclusive, proven, maxConcurrentRejects, reloads, reloadTime,
		requestDuration, upstreamUp, retransmits, nearMisses, failures, wrongDenials, watchers} {
		problems, err := testutil.CollectAndLint(c)
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// mutate returns msg with some bytes changed, cut off or added.
func mutate(msg []byte) []byte {
	b := bytes.Clone(msg)
	for range 1 + rand.IntN(4) {
		switch i := rand.IntN(len(b)); rand.IntN(4) {
		case 0:
			b[i] = byte(rand.Uint32())
		case 1:
			b[i] ^= 1 << rand.IntN(8)
		case 2:
			b = append(b, byte(rand.Uint32()))
		case 3:
			b = b[:max(i, 1)]
		}
	}
	return b
}

func random() []byte {
	b := make([]byte, 1+rand.IntN(600))
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

const junkPackets = 10000

// Whatever clients send, the server lives on and answers the next one.
func TestJunkQueries(t *testing.T) {
	t.Parallel()
	addr := serve(t, []netip.AddrPort{resolver(t, denies(good))}, nil)
	conn, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := question("host.example.", dns.TypeA)
	m.SetEdns0(1232, true)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("data")}}
	raw, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i := range junkPackets {
		junk := random()
		if i%2 == 0 {
			junk = mutate(raw)
		}
		if _, err := conn.Write(junk); err != nil {
			t.Fatal(err)
		}
		if i%100 == 0 {
			mustGetGood(t, "udp", addr)
		}
	}
	for range 100 { // over TCP, each on a connection of its own
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(testkit.Frame(mutate(raw)))
		c.Write(random())
		c.Close()
	}
	mustGetGood(t, "udp", addr)
	mustGetGood(t, "tcp", addr)
}

func mustGetGood(t *testing.T, network, addr string) {
	t.Helper()
	r := mustExchange(t, network, addr, question("host.example.", dns.TypeA))
	if r.Rcode != dns.RcodeSuccess || len(r.Answer) != 1 {
		t.Fatalf("%s: got\n%v", network, r)
	}
}

// Whatever an upstream sends before and besides its reply, the good answer of
// another is what the client gets.
func TestJunkReplies(t *testing.T) {
	t.Parallel()
	const perQuery = 20
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			junky := resolver(t, func(a asked) {
				reply := a.pack(func(m *dns.Msg) { nxdomain(m); m.SetEdns0(1232, false) })
				for i := range perQuery {
					junk := mutate(reply)
					switch {
					case i%4 == 0:
						junk = random()
					case i%4 == 1 && len(junk) > wire.HeaderSize: // right id and question, junk behind
						copy(junk, reply[:min(len(junk), wire.HeaderSize+18)])
					}
					a.send(junk)
				}
				a.send(reply)
			})
			// The truth differs from all that junk can look like.
			knows := resolver(t, func(a asked) {
				a.reply(2*time.Millisecond, func(m *dns.Msg) { good(m); m.Answer = append(m.Answer, m.Answer[0], m.Answer[0]) })
			})
			addr := serve(t, []netip.AddrPort{junky, knows}, nil)
			lies := 0
			for range junkPackets / perQuery / 2 {
				r := mustExchange(t, network, addr, question("host.example.", dns.TypeA))
				if r.Rcode != dns.RcodeSuccess {
					t.Fatalf("got\n%v", r)
				}
				if len(r.Answer) != 3 {
					lies++ // a mutation that is an answer
				}
			}
			if lies > 5 {
				t.Errorf("%d of the answers were made of junk", lies)
			}
		})
	}
}

// R8: a truncated reply in which only the CNAME had room says nothing yet.
func TestR8TruncatedAlias(t *testing.T) {
	nodata := resolver(t, denies(soa))
	knows := resolver(t, func(a asked) {
		a.reply(0, func(m *dns.Msg) {
			m.Answer = []dns.RR{rr("host.example. 60 IN CNAME www.example.")}
			if a.network == "udp" {
				m.Truncated = true
			} else {
				m.Answer = append(m.Answer, rr("www.example. 60 IN A 192.0.2.1"))
			}
		})
	})
	addr := serve(t, []netip.AddrPort{nodata, knows}, nil)
	if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)); len(r.Answer) != 2 || r.Truncated {
		t.Errorf("got\n%v", r)
	}
}

// prefer_udp: a client on TCP with a large buffer does not make upstreams send
// large packets.
func TestPreferUDPSize(t *testing.T) {
	got := make(chan uint16, 10)
	up := resolver(t, func(a asked) {
		if a.network == "udp" {
			got <- a.msg.IsEdns0().UDPSize()
		}
		a.reply(0, good)
	})
	addr := serve(t, []netip.AddrPort{up}, nil, func(c *Config) { c.PreferUDP = true })
	m := question("host.example.", dns.TypeA)
	m.SetEdns0(4096, false)
	mustExchange(t, "tcp", addr, m)
	if size := <-got; size > 1232 {
		t.Errorf("over UDP the upstream was told %d", size)
	}
}

// An upstream that has an answer too long for UDP, and no TCP: it must not be
// outvoted by a denial.
func TestTruncatedNoTCP(t *testing.T) {
	fast := resolver(t, denies(nxdomain))
	knows, _ := udpResolver(t, func(a asked) { a.reply(0, func(m *dns.Msg) { m.Truncated = true }) })
	addr := serve(t, []netip.AddrPort{fast, knows}, nil)
	for range 3 { // at first TCP is waited for
		if r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeTXT)); r.Rcode != dns.RcodeSuccess || !r.Truncated {
			t.Errorf("over UDP, want TC: got\n%v", r)
		}
		if r := mustExchange(t, "tcp", addr, question("host.example.", dns.TypeTXT)); r.Rcode != dns.RcodeServerFailure || r.Truncated {
			t.Errorf("over TCP, want SERVFAIL: got\n%v", r)
		}
	}
}

// R3, R8: if the answer is truncated and TCP fails, clients on UDP get TC=1, and those on TCP
// SERVFAIL.
func TestR8NoWhole(t *testing.T) {
	up := resolver(t, denies(good))
	h := started(Config{Upstreams: plain(up), Values: option.Values{Rules: testRules, Patience: time.Second}})
	t.Cleanup(func() { h.Stop() })
	for _, stream := range []bool{false, true} {
		for _, edns := range []bool{false, true} {
			m := question("host.example.", dns.TypeA)
			if edns {
				m.SetEdns0(1232, false)
			}
			raw := asked{msg: m}.pack(func(m *dns.Msg) { m.Truncated = true })
			out := &pool.Result{
				Result:  race.Result{Leg: 0, Verdict: race.Truncated, Msg: raw, Errs: []error{race.ErrTruncated}},
				Members: h.pool.Members(),
			}
			ctx := metadata.ContextWithMetadata(t.Context())
			w := dnstest.NewRecorder(&test.ResponseWriter{TCP: stream})
			code, err := h.finish(ctx, w, &client{request: m, stream: stream}, out)
			r := w.Msg
			if code != 0 || r.Id != m.Id || r.Question[0] != m.Question[0] || len(r.Answer) != 0 || metadata.ValueFunc(ctx, "dnsmus/verdict")() != "truncated" {
				t.Errorf("stream %v, EDNS %v: %d and\n%v", stream, edns, code, r)
			}
			if !stream {
				if err != nil || r.Rcode != dns.RcodeSuccess || !r.Truncated || r.IsEdns0() != nil {
					t.Errorf("over UDP: %v and\n%v", err, r)
				}
				continue
			}
			if err != nil || r.Rcode != dns.RcodeServerFailure || r.Truncated || (r.IsEdns0() != nil) != edns {
				t.Errorf("over TCP: %v and\n%v", err, r)
			}
			if !edns {
				continue
			}
			ede, ok := r.IsEdns0().Option[0].(*dns.EDNS0_EDE)
			if !ok || ede.InfoCode != dns.ExtendedErrorCodeNoReachableAuthority || !strings.Contains(ede.ExtraText, "the whole cannot be had") {
				t.Errorf("over TCP: got\n%v", r)
			}
		}
	}
}

// A signed query's truncated reply goes to the client as it came, if no upstream has a good
// answer: it asks again over TCP, where a whole one keeps its signature.
func TestTruncatedSigned(t *testing.T) {
	short := resolver(t, denies(func(m *dns.Msg) { m.Truncated = true }))
	no := resolver(t, denies(soa))
	late := resolver(t, func(a asked) { a.reply(100*time.Millisecond, good) })
	for _, tc := range []struct {
		set       []netip.AddrPort
		truncated bool
	}{
		{[]netip.AddrPort{no, short}, true},
		{[]netip.AddrPort{short, late}, false},
	} {
		m := question("host.example.", dns.TypeA)
		m.SetTsig("key.example.", dns.HmacSHA256, 300, time.Now().Unix())
		signed, _, err := dns.TsigGenerate(m, "c2VjcmV0", "", false)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("udp", serve(t, tc.set, nil))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(testkit.Patience))
		conn.Write(signed)
		buf := make([]byte, 1<<16)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		r := new(dns.Msg)
		if err := r.Unpack(buf[:n]); err != nil || r.Rcode != dns.RcodeSuccess || r.Truncated != tc.truncated || len(r.Ns) != 0 || (len(r.Answer) == 1) == tc.truncated {
			t.Errorf("want truncated %v, got %v and\n%v", tc.truncated, err, r)
		}
	}
}

// udpResolver is a resolver without TCP.
func udpResolver(t *testing.T, behave func(asked)) (netip.AddrPort, net.PacketConn) {
	t.Helper()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<16)
		for n := 0; ; n++ {
			size, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			raw := append([]byte(nil), buf[:size]...)
			m := new(dns.Msg)
			if err := m.Unpack(raw); err != nil {
				t.Error(err)
				continue
			}
			behave(asked{network: "udp", n: n, raw: raw, msg: m, send: func(b []byte) { udp.WriteTo(b, from) }})
		}
	}()
	t.Cleanup(func() { udp.Close(); <-done })
	return netip.MustParseAddrPort(udp.LocalAddr().String()), udp
}

// An old upstream that replies FORMERR to EDNS is asked without it.
func TestNoEDNS(t *testing.T) {
	fast := resolver(t, denies(nxdomain))
	knows := resolver(t, func(a asked) {
		if a.msg.IsEdns0() != nil {
			a.reply(0, code(dns.RcodeFormatError))
		} else {
			a.reply(0, good)
		}
	})
	addr := serve(t, []netip.AddrPort{fast, knows}, nil)
	m := question("host.example.", dns.TypeA)
	if r := mustExchange(t, "udp", addr, m); r.Rcode != 0 {
		t.Fatal(r)
	}
	m.SetEdns0(1232, false)
	for _, network := range []string{"udp", "tcp"} {
		if r := mustExchange(t, network, addr, m); r.Rcode != 0 {
			t.Errorf("with EDNS over %s: got\n%v", network, r)
		}
	}
}
