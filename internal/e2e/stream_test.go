//go:build linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The tests in this file need no namespace and no root, so that they can be
// client or upstream themselves. Instead of a namespace they have an address of
// 127/8 that is this process's, and ports that are the test's.
func ownAddress() string {
	pid := os.Getpid() // 22 bits at most
	return fmt.Sprintf("127.%d.%d.%d", 64+pid>>16, pid>>8&255, pid&255)
}

// streamServers starts a dnsmasq that knows all names below even.example, an
// unbound that knows those below odd.example, and dnsmus before them. It
// returns the latter's address and port.
func (l *lab) streamServers(port int) (p *process, addr string) {
	l.Helper()
	addr = ownAddress()
	l.resolvConf(fmt.Sprintf("%s:%d", addr, port+1), fmt.Sprintf("%s:%d", addr, port+2))
	l.dnsmasq(addr, fmt.Sprint(port+1), "--address=/#/", "--address=/even.example/10.0.0.2")
	l.unbound(fmt.Sprintf("%s@%d", addr, port+2),
		`local-zone: "." always_nxdomain`,
		`local-zone: "odd.example" redirect`,
		`local-data: "odd.example A 10.0.0.1"`)
	p = l.coredns(fmt.Sprintf(`.:%d {
		bind %s
		dnsmus resolv.conf.dnsmus
		errors
		log
	}`, port, addr))
	for _, name := range []string{"even.example", "odd.example"} {
		p.awaits(fmt.Sprintf("@%s -p %d ready.%s", addr, port, name))
	}
	return p, fmt.Sprintf("%s:%d", addr, port)
}

// TestPipelinedTCP writes many queries to one connection before it reads any
// reply (RFC 7766, section 6.2.1.1).
func TestPipelinedTCP(t *testing.T) {
	testkit.Need(t, false, "dig", "dnsmasq", "unbound")
	t.Parallel()
	l := &lab{T: t, dir: t.TempDir()}
	_, addr := l.streamServers(5310)

	kinds := []struct{ zone, want string }{
		{"even.example.", "10.0.0.2"},
		{"odd.example.", "10.0.0.1"},
		{"nowhere.example.", "NXDOMAIN"},
	}
	type query struct{ name, want string }
	open := make(map[uint16]query) // by id
	var all []byte
	for n := range 300 {
		kind := kinds[n%len(kinds)]
		m := new(dns.Msg).SetQuestion(fmt.Sprintf("n%d.%s", n, kind.zone), dns.TypeA)
		m.Id = uint16(n) * 7919 // all different, in no order
		msg, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		all = append(binary.BigEndian.AppendUint16(all, uint16(len(msg))), msg...)
		open[m.Id] = query{m.Question[0].Name, kind.want}
	}

	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for len(open) > 0 {
		r, err := readMsg(conn)
		if err != nil {
			t.Fatalf("%v; %d queries are open", err, len(open))
		}
		q, ok := open[r.Id]
		delete(open, r.Id)
		got := dns.RcodeToString[r.Rcode]
		if len(r.Answer) == 1 {
			got = r.Answer[0].(*dns.A).A.String()
		}
		if !ok || r.Question[0].Name != q.name || got != q.want {
			t.Errorf("reply is %s, want it to be %s for %s\n%s", got, q.want, q.name, r)
		}
	}
}

// readMsg reads a message with its length before it.
func readMsg(r io.Reader) (*dns.Msg, error) {
	msg, err := testkit.ReadFrame(r)
	if err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	return m, m.Unpack(msg)
}

// TestConnectionKeptOpen asks query after query in one connection.
func TestConnectionKeptOpen(t *testing.T) {
	testkit.Need(t, false, "dig", "kdig", "dnsmasq", "unbound")
	t.Parallel()
	l := &lab{T: t, dir: t.TempDir()}
	p, addr := l.streamServers(5320)
	host, port, _ := strings.Cut(addr, ":")

	args := []string{"kdig", "@" + host, "-p", port, "+tcp", "+keepopen", "+short", "+time=20", "+retry=0"}
	var want []string
	for n := range 20 {
		args = append(args, fmt.Sprintf("k%d.even.example", n), fmt.Sprintf("k%d.odd.example", n))
		want = append(want, "10.0.0.2", "10.0.0.1")
	}
	out := l.run(args...)
	if got := strings.Fields(out); !slices.Equal(got, want) {
		t.Errorf("kdig prints\n%s\nwant %q", out, want)
	}
	// It is one connection indeed if all have come from the same port.
	clients := make(map[string]int)
	for _, m := range regexp.MustCompile(`(\S+) - \d+ "A IN k\d+\.`).FindAllStringSubmatch(p.Printed(), -1) {
		clients[m[1]]++
	}
	if len(clients) != 1 {
		t.Errorf("queries have come from %v, want one port", clients)
	}
}

// TestOptionsReachUpstreams looks at queries with the upstream's eyes: what
// concerns the name goes along, known or not; a cookie is for one server alone.
func TestOptionsReachUpstreams(t *testing.T) {
	testkit.Need(t, false, "dig")
	t.Parallel()
	l := &lab{T: t, dir: t.TempDir()}
	addr := ownAddress()
	var queries sync.Map // by name
	for _, network := range []string{"udp", "tcp"} {
		started := make(chan struct{})
		server := &dns.Server{
			Addr: addr + ":5331", Net: network,
			NotifyStartedFunc: func() { close(started) },
			Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
				queries.Store(q.Question[0].Name, q)
				w.WriteMsg(new(dns.Msg).SetReply(q))
			}),
		}
		failed := make(chan error, 1)
		go func() { failed <- server.ListenAndServe() }()
		select {
		case <-started:
		case err := <-failed:
			t.Fatal(err)
		}
		t.Cleanup(func() { server.Shutdown() })
	}
	l.coredns(fmt.Sprintf(`.:5330 {
		bind %s
		dnsmus %[1]s:5331
		errors
	}`, addr)).awaits("@" + addr + " -p 5330 ready.example")

	for transport, name := range map[string]string{"+notcp": "uDp.ExAmPle.", "+tcp": "tCp.ExAmPle."} {
		l.expect("@"+addr+" -p 5330 "+transport+" "+name+" TXT +dnssec +cdflag +nsid +subnet=192.0.2.0/24"+
			" +cookie=0123456789abcdef +ednsopt=65001:cafe +ednsopt=12345:", "NOERROR")
		v, ok := queries.Load(name)
		if !ok {
			t.Fatalf("%s: no query for %s, in this case of its letters", transport, name)
		}
		q := v.(*dns.Msg)
		opt := q.IsEdns0()
		if opt == nil || !opt.Do() || !q.RecursionDesired || !q.CheckingDisabled || !q.AuthenticatedData {
			t.Fatalf("%s: want flags RD, CD, AD and DO\n%s", transport, q)
		}
		var options []string
		for _, o := range opt.Option {
			options = append(options, fmt.Sprintf("%d %s", o.Option(), o))
		}
		slices.Sort(options)
		want := []string{"12345 12345:0x", "3 ", "65001 65001:0xcafe", "8 192.0.2.0/24/0"}
		if !slices.Equal(options, want) {
			t.Errorf("%s: options %q, want %q: NSID and the subnet, and no cookie", transport, options, want)
		}
	}
}
