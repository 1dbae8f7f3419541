package handler

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// opening is a source that is no file: it names old at the start and, when it is released,
// now.
type opening struct {
	old, now server.Server
	release  chan struct{}
	read     bool
}

func (s *opening) String() string { return "opening" }

func (s *opening) Read() (source.Reading, error) {
	says := s.old
	if s.read {
		<-s.release
		says = s.now
	}
	s.read = true
	return source.Reading{Servers: []server.Server{says}, Text: []byte(says.String())}, nil
}

func (s *opening) Watch(changed func()) (stop func(), err error) {
	go changed()
	return func() {}, nil
}

// followList starts a handler with the upstreams that a list names now. First queries wait
// for that long.
func followList(list *source.List, wait time.Duration) *Handler {
	list.Read()
	h := started(Config{Upstreams: list.Servers(), Values: option.Values{Rules: patientRules, Patience: testkit.Patience}})
	h.Follow(list, Listeners{})
	h.follow.firstWait = wait
	return h
}

// six asks with six clients at a time, which are all to get this.
func six(t *testing.T, server, what, want string) {
	t.Helper()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if got := address(t, server); got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		})
	}
	all.Wait()
}

// rewrite writes a file in place, as if it had been done three seconds ago.
func rewrite(t *testing.T, file string, addrs ...netip.AddrPort) {
	t.Helper()
	text := ""
	for _, addr := range addrs {
		text += fmt.Sprintf("nameserver %s\n", addr)
	}
	say(t, file, text)
	at := time.Now().Add(-3 * time.Second)
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

// The first queries see the list as it is then, and not as it was at the start; so it is
// also when another handler follows the same list already, as after a reload of the Corefile.
func TestFirstQueries(t *testing.T) {
	t.Parallel()
	one, two, three := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0), gives(t, "192.0.2.13", 0)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	rewrite(t, file, one)
	fileList := func() *source.List {
		list := new(source.List)
		list.Add(source.File(file))
		return list
	}
	h := followList(fileList(), testkit.Patience)
	rewrite(t, file, two)
	six(t, serveHandler(t, h), "after the start", "192.0.2.12")

	reloaded := followList(fileList(), testkit.Patience)
	rewrite(t, file, three)
	six(t, serveHandler(t, reloaded), "after a reload", "192.0.2.13")
	h.Stop()
	six(t, serveHandler(t, reloaded), "after the reload's end", "192.0.2.13")
}

// All sources are waited for, also one that takes longer than a file.
func TestFirstQueriesOfSources(t *testing.T) {
	t.Parallel()
	one, two, three, four := gives(t, "192.0.2.11", 0), gives(t, "192.0.2.12", 0), gives(t, "192.0.2.12", 0), gives(t, "192.0.2.14", 0)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	rewrite(t, file, one)
	s := &opening{old: server.Plain(four), now: server.Plain(two), release: make(chan struct{})}
	list := new(source.List)
	list.Add(source.File(file))
	list.Add(s)
	h := followList(list, testkit.Patience)
	addr := serveHandler(t, h)
	rewrite(t, file, three)
	time.AfterFunc(100*time.Millisecond, func() { close(s.release) })
	six(t, addr, "with a slow source", "192.0.2.12")
}

// A source that hangs keeps the first queries waiting once, and no others.
func TestFirstQueriesHang(t *testing.T) {
	t.Parallel()
	one := gives(t, "192.0.2.11", 0)
	s := &opening{old: server.Plain(one), now: server.Plain(one), release: make(chan struct{})}
	defer close(s.release)
	list := new(source.List)
	list.Add(s)
	h := followList(list, 200*time.Millisecond)
	addr := serveHandler(t, h)
	begun := time.Now()
	six(t, addr, "while it hangs", "192.0.2.11")
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("first queries waited for %v only", took)
	}
	if !h.follow.looked.happened.Load() {
		t.Error("the next query waits again")
	}
	six(t, addr, "while it hangs", "192.0.2.11")
}
