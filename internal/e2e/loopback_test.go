//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

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
	hdr := dns.RR_Header{Name: name, Rrtype: query.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
	if hdr.Rrtype == dns.TypeTXT {
		r.Answer = []dns.RR{&dns.TXT{Hdr: hdr, Txt: []string{fmt.Sprint(n)}}}
	} else {
		r.Answer = []dns.RR{&dns.A{Hdr: hdr, A: net.IPv4(10, byte(n>>16), byte(n>>8), byte(n))}}
	}
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

// usage is what a process holds.
type usage struct {
	fds        int // but events
	events     int // of the system, on which races sleep
	goroutines int
}

// usage asks CoreDNS on its port for metrics.
func (l loopback) usage(p *process, metrics string) usage {
	l.Helper()
	goroutines := metric(l.T, metrics, "go_goroutines")
	dir := fmt.Sprintf("/proc/%d/fd", p.Pid())
	fds, err := os.ReadDir(dir)
	if err != nil {
		l.Fatal(err)
	}
	u := usage{goroutines: int(goroutines)}
	for _, fd := range fds {
		if what, _ := os.Readlink(filepath.Join(dir, fd.Name())); what == "anon_inode:[eventfd]" {
			u.events++
		} else {
			u.fds++
		}
	}
	return u
}

// exceededBy is an error if now is more than u and a little.
func (u usage) exceededBy(now usage) error {
	const (
		slack  = 4       // the connection for metrics, and what the server does by itself
		events = 2*8 + 1 // those of two pools, which stay, and Go's own
	)
	if now.fds > u.fds+slack || now.events > events || now.goroutines > u.goroutines+slack {
		return fmt.Errorf("now %+v, before %+v", now, u)
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

// get returns what a server on loopback says, as its status and body; or 0 and an
// error.
func (l loopback) get(url string) (status int, body string) {
	l.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := c.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return 0, err.Error()
	}
	return r.StatusCode, string(text)
}

// resolver is a dnsmasq on loopback that knows one name and denies all others.
func (l loopback) resolver(name, addr string) (p *process, at string) {
	l.Helper()
	port := l.freePort()
	p = l.dnsmasq("127.0.0.1", port, "--host-record="+name+","+addr, "--address=/#/")
	return p.awaits("@127.0.0.1 -p " + port + " " + name), "127.0.0.1:" + port
}
