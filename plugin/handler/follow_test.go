package handler

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// gives is a resolver that gives every name this address.
func gives(t *testing.T, addr string, after time.Duration) netip.AddrPort {
	return resolver(t, func(a asked) {
		a.reply(after, func(m *dns.Msg) { m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN A " + addr)} })
	})
}

// address asks for a name and returns what it gets.
func address(t *testing.T, server string) string {
	t.Helper()
	r := mustExchange(t, "udp", server, question("host.example.", dns.TypeA))
	if len(r.Answer) != 1 {
		return dns.RcodeToString[r.Rcode]
	}
	return r.Answer[0].(*dns.A).A.String()
}

// Upstreams that stay are the same objects, so that all that is known about them
// stays too; a race under way asks the new ones as well.
func TestReplace(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 10)
	slow := resolver(t, func(a asked) {
		arrived <- struct{}{}
		a.reply(time.Second, good)
	})
	one, two := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0)
	h := started(Config{Upstreams: plain(slow), Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	server := serveHandler(t, h)

	var both sync.WaitGroup
	both.Go(func() {
		if got := address(t, server); got != "192.0.2.11" && got != "192.0.2.12" && got != "192.0.2.1" {
			t.Errorf("the race under way ended with %s", got)
		}
	})
	<-arrived
	if added, removed := replace(h.pool, plain(one, two)); !equal(added, plain(one, two)) || !equal(removed, plain(slow)) {
		t.Errorf("added %v, removed %v", added, removed)
	}
	both.Wait()
	if got := address(t, server); got != "192.0.2.11" && got != "192.0.2.12" {
		t.Errorf("the new ones say %s", got)
	}

	before := h.pool.Members()
	added, removed := replace(h.pool, plain(two, slow, one))
	after := h.pool.Members()
	if len(added) != 1 || len(removed) != 0 || after[0] != before[1] || after[2] != before[0] {
		t.Errorf("added %v, removed %v: %v became %v", added, removed, before, after)
	}
	if added, removed := replace(h.pool, plain(two, slow, one)); added != nil || removed != nil {
		t.Errorf("the same again: added %v, removed %v", added, removed)
	}
}

// follows is a server whose upstreams are those of a file, and its log.
type follows struct {
	t      *testing.T
	file   string
	server string
	h      *Handler
	log    *testkit.Log
}

func (f *follows) say(addrs ...netip.AddrPort) {
	f.t.Helper()
	text := ""
	for _, addr := range addrs {
		text += fmt.Sprintf("nameserver %s\n", addr)
	}
	tmp := f.file + ".tmp"
	if err := os.WriteFile(tmp, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(tmp, f.file); err != nil {
		f.t.Fatal(err)
	}
}

// until waits for something that a change of the file brings about.
func (f *follows) until(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(testkit.Patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	f.t.Fatalf("%s: in vain; log: %s", what, f.log)
}

func follow(t *testing.T, listeners Listeners, addrs ...netip.AddrPort) *follows {
	f := &follows{t: t, file: filepath.Join(t.TempDir(), "resolv.conf"), log: testkit.Logged(t)}
	f.say(addrs...)
	f.h = followFile(f.file, listeners)
	f.server = serveHandler(t, f.h)
	return f
}

// followFile starts a handler whose upstreams are those of a file.
func followFile(file string, listeners Listeners) *Handler {
	list := new(source.List)
	list.Add(source.File(file))
	list.Read()
	others, _ := listeners.Drop(list.Servers())
	h := started(Config{Upstreams: others, Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	h.Follow(list, listeners)
	return h
}

func TestFollow(t *testing.T) {
	one, two := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0)
	f := follow(t, Listeners{}, one)
	success, failure := testutil.ToFloat64(reloads.WithLabelValues("success")), testutil.ToFloat64(reloads.WithLabelValues("failure"))
	if got := address(t, f.server); got != "192.0.2.11" {
		t.Errorf("at first: %s", got)
	}
	f.say(two)
	f.until("another upstream", func() bool { return address(t, f.server) == "192.0.2.12" })
	f.until("the log", func() bool {
		return f.log.Count(fmt.Sprintf("Upstreams are now %s; added: %s; removed: %s", two, two, one)) == 1
	})

	// An empty file empties nothing.
	f.say()
	f.until("the warning", func() bool { return f.log.Count("has no usable nameserver line") == 1 })
	if got := address(t, f.server); got != "192.0.2.12" {
		t.Errorf("with an empty file: %s", got)
	}
	if n := f.log.Count("usable now"); n != 0 {
		t.Errorf("%d times it was said to be usable now", n)
	}
	f.say(one)
	f.until("the first upstream", func() bool { return address(t, f.server) == "192.0.2.11" })
	if s, n := testutil.ToFloat64(reloads.WithLabelValues("success"))-success, testutil.ToFloat64(reloads.WithLabelValues("failure"))-failure; s != 2 || n != 1 {
		t.Errorf("%v reloads succeeded and %v failed, want 2 and 1", s, n)
	}
	if age := time.Since(time.Unix(int64(testutil.ToFloat64(reloadTime)), 0)); age > time.Minute {
		t.Errorf("the last reload was %v ago", age)
	}

	// After the end nothing is followed.
	f.h.Stop()
	f.h.Stop()
	witness := followFile(f.file, Listeners{})
	server := serveHandler(t, witness)
	f.say(two)
	f.until("another upstream of who goes on", func() bool { return address(t, server) == "192.0.2.12" })
	if got := f.h.pool.Members()[0].Server.Addr; got != one {
		t.Errorf("after Stop the upstream became %s", got)
	}
}

// A file that was unusable is reported when it is usable, once, also if it names the
// same upstreams as before.
func TestFollowRecovers(t *testing.T) {
	one, two := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0)
	f := follow(t, Listeners{}, one)
	address(t, f.server)
	for i, addr := range []netip.AddrPort{one, one, two} {
		f.say()
		f.until("the warning", func() bool { return f.log.Count("keeping its previous upstreams") == i+1 })
		f.until("that the socket tells of it", func() bool {
			all := f.h.unusable()
			return len(all) == 1 && strings.Contains(all[0], f.file) && strings.HasSuffix(all[0], "; its previous upstreams are kept")
		})
		f.say(addr)
		f.until("that it is usable now", func() bool { return f.log.Count(f.file+" is usable now") == i+1 })
		f.until("that the socket tells nothing", func() bool { return len(f.h.unusable()) == 0 })
	}
	f.say(one)
	f.until("the first upstream", func() bool { return address(t, f.server) == "192.0.2.11" })
	if n := f.log.Count("usable now"); n != 3 {
		t.Errorf("%d times it was said to be usable now", n)
	}
}

// R11: whatever a file names, a server block does not become its own upstream.
func TestR11FollowDropsOwn(t *testing.T) {
	one, two := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0)
	self := netip.MustParseAddrPort("127.0.0.77:5353")
	listeners := Listeners{Hosts: []netip.Addr{self.Addr()}, Ports: []Port{{server.DNS, 5353}}}
	f := follow(t, listeners, self, one)
	f.say(two, self)
	f.until("the other upstream", func() bool { return address(t, f.server) == "192.0.2.12" })
	f.say(self)
	f.until("the warning", func() bool { return f.log.Count("no upstream is left; keeping the previous upstreams") == 1 })
	if set := f.h.pool.Members(); len(set) != 1 || set[0].Server.Addr != two {
		t.Errorf("upstreams are %v", set)
	}
	if n := f.log.Count("127.0.0.77:5353 is left out"); n != 0 {
		t.Errorf("%d times it was said what was said at the start", n)
	}
	f.say(one)
	f.until("the first upstream", func() bool { return address(t, f.server) == "192.0.2.11" })
	f.say(one, self)
	f.until("the warning", func() bool { return f.log.Count("127.0.0.77:5353 is left out") == 1 })
}

// hanging is a source that can hang, as a file does on a mount whose server is
// gone.
type hanging struct {
	ended   <-chan struct{} // the test is over
	says    server.Server
	reading chan chan server.Server // each Read but the first waits for what to say
	changed chan func()
	read    bool
}

func (s *hanging) String() string { return "hanging" }

func (s *hanging) Read() (source.Reading, error) {
	if s.read {
		says := make(chan server.Server)
		select {
		case s.reading <- says:
			s.says = <-says
		case <-s.ended:
		}
	}
	s.read = true
	return source.Reading{Servers: []server.Server{s.says}, Text: []byte(s.says.String())}, nil
}

func (s *hanging) Watch(changed func()) (stop func(), err error) {
	s.changed <- changed
	go changed()
	return func() {}, nil
}

// A source that hangs keeps no query waiting, nor the end.
func TestFollowHangs(t *testing.T) {
	one, two := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0)
	s := &hanging{ended: t.Context().Done(), says: server.Plain(one), reading: make(chan chan server.Server), changed: make(chan func(), 1)}
	list := new(source.List)
	list.Add(s)
	list.Read()
	h := started(Config{Upstreams: list.Servers(), Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	h.Follow(list, Listeners{})
	addr := serveHandler(t, h)
	for range 3 {
		if got := address(t, addr); got != "192.0.2.11" {
			t.Errorf("while the source hangs: %s", got)
		}
	}
	says := <-s.reading
	says <- server.Plain(two)
	testkit.Eventually(t, func() error {
		if got := address(t, addr); got != "192.0.2.12" {
			return fmt.Errorf("when the source goes on: %s", got)
		}
		return nil
	})

	changed, done := <-s.changed, make(chan struct{})
	go func() { defer close(done); changed() }()
	says = <-s.reading
	h.Stop() // returns although the source hangs
	says <- server.Plain(one)
	<-done
	if got := h.pool.Members()[0].Server.Addr; got != two {
		t.Errorf("after Stop the upstream became %s", got)
	}
}
