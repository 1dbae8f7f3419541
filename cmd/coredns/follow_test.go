//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestRewritesUnderLoad rewrites the file of upstreams again and again, in all
// ways that programs have, while queries come. One of two resolvers that know
// all names is always in the file; so not one answer may be missing or wrong.
func TestRewritesUnderLoad(t *testing.T) {
	const bursts, inBurst = 100, 10 // each burst is settled before the next
	l := newLoopback(t)
	known := []string{l.fake(answers), l.fake(answers)}
	others := []string{l.fake(denies), l.fake(denies), l.fake(is("silent"))}
	markers := []string{l.fake(is("m0")), l.fake(is("m1"))}
	conf := l.write("resolv.conf.dnsmus", nameservers(known[0]))
	port, metrics, p := l.server(`dnsmus resolv.conf.dnsmus`)
	before := l.usage(p, metrics)
	inEffect := func(marker int) {
		t.Helper()
		l.eventually(func() error {
			// Another name each time: equal questions share a race, also one that
			// began before the file was written.
			name := fmt.Sprintf("m%d.x%d.example.", marker, rand.Uint64())
			if got := ask("127.0.0.1:"+port, name, 500*time.Millisecond); got != "NOERROR" {
				return fmt.Errorf("the file with resolver m%d is not in effect: %s", marker, got)
			}
			return nil
		})
	}

	load := l.load("127.0.0.1:"+port, 5000)
	for b := range bursts {
		way := rewrites[b%len(rewrites)]
		for i := range inBurst {
			servers := []string{known[rand.IntN(2)]}
			for _, addr := range append(known, others...) {
				if addr != servers[0] && rand.IntN(2) == 0 {
					servers = append(servers, addr)
				}
			}
			if i == inBurst-1 {
				servers = append(servers, markers[b%2])
			}
			rand.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
			if err := way.write(conf, nameservers(servers...)); err != nil {
				t.Fatalf("%s: %v", way.name, err)
			}
			time.Sleep(time.Duration(rand.IntN(4)) * time.Millisecond)
		}
		time.Sleep(150 * time.Millisecond) // asked before, the silent one holds the denial up
		inEffect(b % 2)
	}
	load.stop().mustAllBeGood(t)

	// What is down is probed; but not when it is no upstream any more.
	var silent []string
	for range 8 {
		silent = append(silent, l.fake(is("silent")))
	}
	rename := rewrites[2].write
	for i, servers := range [][]string{append(silent, markers[0]), markers[1:]} {
		if err := rename(conf, nameservers(servers...)); err != nil {
			t.Fatal(err)
		}
		inEffect(i)
		if got := ask("127.0.0.1:"+port, "nobody.example.", patience); got != "NXDOMAIN" {
			t.Errorf("a name that nobody knows: %s", got)
		}
	}
	l.eventually(func() error { return before.exceededBy(l.usage(p, metrics)) })
	if n := metric(t, metrics, `coredns_dnsmus_resolv_conf_reloads_total{result="success"}`); n < bursts {
		t.Errorf("%v successful reloads for %d bursts", n, bursts)
	}
}

// rewrites are the ways to change a file.
var rewrites = []struct {
	name  string
	write func(path, text string) error
}{
	{"in place", func(path, text string) error {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString(text)
		return errors.Join(err, f.Truncate(int64(len(text))), f.Close())
	}},
	{"truncated, then written", func(path, text string) error {
		return os.WriteFile(path, []byte(text), 0o644)
	}},
	{"renamed over", func(path, text string) error {
		err := os.WriteFile(path+".new", []byte(text), 0o644)
		return errors.Join(err, os.Rename(path+".new", path))
	}},
	{"link set to another", func(path, text string) error {
		old, _ := os.Readlink(path) // none, at first
		target := fmt.Sprintf("%s.%d", path, rand.Uint64())
		err := os.WriteFile(target, []byte(text), 0o644)
		err = errors.Join(err, os.Symlink(filepath.Base(target), path+".link"), os.Rename(path+".link", path))
		if old != "" {
			err = errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), old)))
		}
		return err
	}},
}

func nameservers(servers ...string) string {
	return "nameserver " + strings.Join(servers, "\nnameserver ") + "\n"
}

// TestFollow changes the file as programs and their users do, with real servers.
func TestFollow(t *testing.T) {
	const corefile = `.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus vpn/resolv.conf
		prometheus 127.0.0.1:9153
		errors
	}`
	const wiki, db = "@127.0.0.1 -p 5553 wiki.corp.example", "@127.0.0.1 -p 5553 db.corp.example"
	begin := func(t *testing.T) *lab {
		l := newLab(t, "unbound", "dnsmasq", "bash")
		l.alpha()
		l.gamma()
		l.resolvConf("127.0.0.11")
		return l
	}
	rename := func(l *lab, text string) {
		l.Helper()
		l.write("new", text)
		if err := os.Rename(filepath.Join(l.dir, "new"), filepath.Join(l.dir, "resolv.conf.dnsmus")); err != nil {
			l.Fatal(err)
		}
	}
	becomesFailures := func(l *lab, want float64) {
		l.Helper()
		l.eventually(func() error {
			if got := l.metric("127.0.0.1:9153", `coredns_dnsmus_resolv_conf_reloads_total{result="failure"}`); got != want {
				return fmt.Errorf("%v failures, want %v", got, want)
			}
			return nil
		})
	}

	t.Run("renamed over", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.expect(db, "NXDOMAIN")
		rename(l, nameservers("127.0.0.11", "127.0.0.13"))
		l.becomes(db, "NOERROR 10.3.0.30")
		rename(l, nameservers("127.0.0.13"))
		l.becomes(wiki, "NXDOMAIN")
		p.prints("added: none; removed: 127.0.0.11:53")
	})

	// The old servers stay. A second file shows that the first was read again
	// since, and said no more.
	t.Run("emptied", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.resolvConf("127.0.0.11", "127.0.0.13")
		l.becomes(db, "NOERROR 10.3.0.30")
		l.write("resolv.conf.dnsmus", "")
		becomesFailures(l, 1)
		l.expect(wiki, "NOERROR 10.1.0.10")
		l.expect(db, "NOERROR 10.3.0.30")
		l.mkdir("vpn")
		for _, server := range []string{"127.0.0.21", "127.0.0.22"} {
			l.write("vpn/resolv.conf", nameservers(server))
			p.prints("added: " + server + ":53")
		}
		becomesFailures(l, 1)
		if n := strings.Count(p.Printed(), "resolv.conf.dnsmus has no usable nameserver"); n != 1 {
			t.Errorf("%d warnings about the empty file, want 1", n)
		}
		l.resolvConf("127.0.0.13")
		l.becomes(wiki, "NXDOMAIN")
	})

	t.Run("permission lost and regained", func(t *testing.T) {
		l := begin(t)
		// Nobody cannot look into the directories of the tests.
		if err := os.Chmod(filepath.Dir(l.dir), 0o755); err != nil {
			t.Fatal(err)
		}
		binary := filepath.Join(l.dir, "coredns")
		if err := os.Link(coredns(t), binary); err != nil {
			t.Fatal(err)
		}
		p := l.start("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--pdeathsig=KILL",
			binary, "-conf", l.write("Corefile", corefile)).awaits(wiki)
		conf := filepath.Join(l.dir, "resolv.conf.dnsmus")
		for i, text := range []string{nameservers("127.0.0.11", "127.0.0.13"), nameservers("127.0.0.11")} {
			if err := os.Chmod(conf, 0); err != nil {
				t.Fatal(err)
			}
			becomesFailures(l, float64(i+1))
			p.prints("permission denied")
			l.write("resolv.conf.dnsmus", text) // root may
			l.expect(wiki, "NOERROR 10.1.0.10")
			if err := os.Chmod(conf, 0o644); err != nil {
				t.Fatal(err)
			}
			l.becomes(db, []string{"NOERROR 10.3.0.30", "NXDOMAIN"}[i])
		}
	})

	t.Run("own address", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		l.resolvConf("127.0.0.1:5553", "127.0.0.13")
		l.becomes(db, "NOERROR 10.3.0.30")
		l.expect(wiki, "NXDOMAIN")
		p.prints("Upstream 127.0.0.1:5553 is left out")
		l.resolvConf("127.0.0.1:5553") // and now there is nobody else
		p.prints("no upstream is left")
		l.expect(db, "NOERROR 10.3.0.30")
		l.resolvConf("127.0.0.11")
		l.becomes(wiki, "NOERROR 10.1.0.10")
	})

	t.Run("second file comes and goes", func(t *testing.T) {
		l := begin(t)
		p := l.coredns(corefile).awaits(wiki)
		p.prints("vpn/resolv.conf: no such file or directory")
		l.expect(db, "NXDOMAIN")
		l.mkdir("vpn")
		l.write("vpn/resolv.conf", nameservers("127.0.0.11", "127.0.0.13"))
		l.becomes(db, "NOERROR 10.3.0.30")
		l.expect(wiki, "NOERROR 10.1.0.10")
		if err := os.RemoveAll(filepath.Join(l.dir, "vpn")); err != nil {
			t.Fatal(err)
		}
		becomesFailures(l, 1)
		l.expect(db, "NOERROR 10.3.0.30")
		l.mkdir("vpn")
		l.write("vpn/resolv.conf", nameservers("127.0.0.11"))
		l.becomes(db, "NXDOMAIN")
	})
}

func (l *lab) mkdir(name string) {
	l.Helper()
	if err := os.Mkdir(filepath.Join(l.dir, name), 0o755); err != nil {
		l.Fatal(err)
	}
}

// prints waits until the process has printed text.
func (p *process) prints(text string) {
	p.lab.Helper()
	p.printsTimes(1, text)
}

// printsTimes waits until the process has printed text n times.
func (p *process) printsTimes(n int, text string) {
	p.lab.Helper()
	p.lab.eventually(func() error {
		if found := strings.Count(p.Printed(), text); found < n {
			return fmt.Errorf("%q is in the log %d times, want %d", text, found, n)
		}
		return nil
	})
}

// loopback is a lab on the machine's own loopback addresses, where the test
// itself can be the resolvers and the clients: that is fast, and needs no root.
type loopback struct{ *lab }

func newLoopback(t *testing.T) loopback {
	t.Helper()
	testkit.Need(t, false, "dig")
	t.Parallel()
	return loopback{&lab{T: t, dir: t.TempDir()}}
}

// freePort returns a port that nobody has at present.
func (l loopback) freePort() string {
	l.Helper()
	return strconv.Itoa(int(testkit.FreeAddr(l.T).Port()))
}

// server runs CoreDNS with the lines in a server block, and returns the ports of
// that and of its metrics. The upstreams were not asked yet.
func (l loopback) server(lines string) (port, metrics string, p *process) {
	l.Helper()
	port, metrics, ready := l.freePort(), l.freePort(), l.freePort()
	p = l.coredns(fmt.Sprintf(`.:%s {
		bind 127.0.0.1
		%s
		prometheus 127.0.0.1:%s
		errors
	}
	.:%s {
		bind 127.0.0.1
		whoami
	}`, port, lines, metrics, ready)).awaits("@127.0.0.1 -p " + ready + " ready.example")
	return port, metrics, p
}

// fake runs a resolver until the end of the test, and returns its address. A nil
// reply is silence.
func (l loopback) fake(reply func(query *dns.Msg) *dns.Msg) string {
	l.Helper()
	return testkit.Handle(l.T, func(w dns.ResponseWriter, query *dns.Msg) {
		if r := reply(query); r != nil {
			w.WriteMsg(r)
		}
	}).String()
}

func denies(query *dns.Msg) *dns.Msg {
	return new(dns.Msg).SetRcode(query, dns.RcodeNameError)
}

// answers is the resolver that knows all names of the load; the answer tells one
// from another.
func answers(query *dns.Msg) *dns.Msg {
	name := query.Question[0].Name
	var n uint32
	if _, err := fmt.Sscanf(name, "load%d.", &n); err != nil {
		return denies(query)
	}
	r := new(dns.Msg).SetReply(query)
	r.Answer = []dns.RR{&dns.A{
		Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
		A:   net.IPv4(10, byte(n>>16), byte(n>>8), byte(n)),
	}}
	return r
}

// is is a resolver that knows the names whose first label is the given one, and
// denies all others; one that is silent is silent.
func is(label string) func(query *dns.Msg) *dns.Msg {
	return func(query *dns.Msg) *dns.Msg {
		switch {
		case label == "silent":
			return nil
		case !strings.HasPrefix(query.Question[0].Name, label+"."):
			return denies(query)
		}
		r := new(dns.Msg).SetReply(query)
		r.Answer = []dns.RR{&dns.TXT{
			Hdr: dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{label},
		}}
		return r
	}
}

// ask asks once, and returns the rcode or the error.
func ask(server, name string, timeout time.Duration) string {
	c := dns.Client{Timeout: timeout}
	r, _, err := c.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeTXT), server)
	if err != nil {
		return err.Error()
	}
	return dns.RcodeToString[r.Rcode]
}

// load asks at a rate whether answers come or not, up to a number of queries
// that are under way: so many fit into the buffer of a socket. Where a machine
// cannot keep up, the rate falls.
type load struct {
	underWay chan struct{}
	stopped  chan struct{}
	all      sync.WaitGroup

	mu  sync.Mutex
	sum result
}

// result is what came of a load.
type result struct {
	asked, good, lost int
	wrong             []string // replies, with their names; a few
}

// load begins a load of UDP queries.
func (l loopback) load(server string, rate int) *load {
	l.Helper()
	const sockets = 4
	q := &load{underWay: make(chan struct{}, 100), stopped: make(chan struct{})}
	for i := range sockets {
		conn, err := net.Dial("udp", server)
		if err != nil {
			l.Fatal(err)
		}
		l.Cleanup(func() { conn.Close() })
		s := &loadSocket{load: q, conn: conn, pending: make(map[uint16]uint32)}
		q.all.Go(func() { s.send(uint32(i), sockets, time.Second*sockets/time.Duration(rate)) })
		go s.read()
	}
	return q
}

// stop ends the load and returns what came of it. Replies are waited for.
func (q *load) stop() result {
	close(q.stopped)
	q.all.Wait()
	for end := time.Now().Add(patience / 2); len(q.underWay) > 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.sum.lost = len(q.underWay)
	return q.sum
}

func (r result) mustAllBeGood(t *testing.T) {
	t.Helper()
	t.Logf("%d queries, %d good, %d without a reply", r.asked, r.good, r.lost)
	if r.good != r.asked || r.asked == 0 {
		t.Errorf("of %d queries %d have no reply and %d a wrong one: %q", r.asked, r.lost, r.asked-r.good-r.lost, r.wrong)
	}
}

type loadSocket struct {
	*load
	conn    net.Conn
	pending map[uint16]uint32 // number of the query, by id
}

func (s *loadSocket) send(n, step uint32, every time.Duration) {
	tick := time.NewTicker(max(every, 2*time.Millisecond))
	defer tick.Stop()
	due := time.Now()
	for id := uint16(0); ; id++ {
		for due.After(time.Now()) {
			<-tick.C
		}
		select {
		case <-s.stopped:
			return
		case s.underWay <- struct{}{}:
		}
		if late := time.Now().Add(-100 * time.Millisecond); due.Before(late) {
			due = late // what was missed is not made up for all at once
		}
		due = due.Add(every)
		m := new(dns.Msg).SetQuestion(fmt.Sprintf("load%d.example.", n), dns.TypeA)
		s.mu.Lock()
		for s.isPending(id) {
			id++
		}
		s.pending[id] = n
		s.sum.asked++
		s.mu.Unlock()
		m.Id = id
		msg, err := m.Pack()
		if err != nil {
			panic(err) // of a valid name
		}
		s.conn.Write(msg) // what is not sent is lost
		n += step
	}
}

// isPending reports whether id is in use. s.mu is held.
func (s *loadSocket) isPending(id uint16) bool { _, ok := s.pending[id]; return ok }

func (s *loadSocket) read() {
	buf := make([]byte, dns.MaxMsgSize)
	for {
		size, err := s.conn.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		m := new(dns.Msg)
		if err != nil || m.Unpack(buf[:size]) != nil {
			continue
		}
		s.mu.Lock()
		n, ok := s.pending[m.Id]
		if ok {
			delete(s.pending, m.Id)
			s.judge(n, m)
		}
		s.mu.Unlock()
		if ok {
			<-s.underWay
		}
	}
}

// judge notes the reply to query n. s.mu is held.
func (s *loadSocket) judge(n uint32, m *dns.Msg) {
	want := net.IPv4(10, byte(n>>16), byte(n>>8), byte(n))
	if len(m.Answer) == 1 {
		if a, ok := m.Answer[0].(*dns.A); ok && a.A.Equal(want) && m.Rcode == dns.RcodeSuccess {
			s.sum.good++
			return
		}
	}
	if len(s.sum.wrong) < 5 {
		s.sum.wrong = append(s.sum.wrong, fmt.Sprintf("load%d: %s, %d answers", n, dns.RcodeToString[m.Rcode], len(m.Answer)))
	}
}

// usage is what a process holds.
type usage struct{ fds, goroutines int }

// usage asks CoreDNS on its port for metrics.
func (l loopback) usage(p *process, metrics string) usage {
	l.Helper()
	goroutines := metric(l.T, metrics, "go_goroutines")
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid()))
	if err != nil {
		l.Fatal(err)
	}
	return usage{len(fds), int(goroutines)}
}

// exceededBy is an error if now is more than u and a little.
func (u usage) exceededBy(now usage) error {
	const slack = 4 // the connection for metrics, and what the server does by itself
	if now.fds > u.fds+slack || now.goroutines > u.goroutines+slack {
		return fmt.Errorf("%d fds and %d goroutines; %d and %d before", now.fds, now.goroutines, u.fds, u.goroutines)
	}
	return nil
}

// metric is the sum of all that a process on loopback tells of the metric, a
// name with or without labels.
func metric(t *testing.T, port, name string) float64 {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := c.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}
