package source

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// told is a source that says what a test tells it.
type told struct {
	servers []server.Server
	changed chan func()
	stopped chan struct{}
}

var errLate = errors.New("it is noticed late")

func (s *told) String() string { return "told" }
func (s *told) Read() (Reading, error) {
	return Reading{Servers: s.servers, Warnings: []string{"told: so"}, Text: []byte(plainText(s.servers))}, nil
}
func (s *told) Watch(changed func()) (stop func(), err error) {
	s.changed <- changed
	return func() { close(s.stopped) }, errLate
}

func plainText(servers []server.Server) (text string) {
	for _, s := range servers {
		text += s.String() + " "
	}
	return text
}

// Sources that are no files stand in a list as files do: read in order, watched
// together, one call at a time.
func TestListOfSources(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("a", conf("192.0.2.1"))
	d.write("b", conf("192.0.2.3"))
	s := &told{servers: plain("192.0.2.2:53"), changed: make(chan func(), 1), stopped: make(chan struct{})}
	list := new(List)
	list.Add(File(d.path("a")))
	list.Add(s)
	list.Add(File(d.path("b")))
	if r := list.Read(); !slices.Equal(r.Reloaded, []string{d.path("a"), "told", d.path("b")}) || !slices.Equal(r.Warnings, []string{"told: so"}) {
		t.Errorf("first: %+v", r)
	}
	if got := list.Servers(); !equal(got, plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")) {
		t.Errorf("servers are %v", got)
	}
	said := make(chan []server.Server, 100)
	inside := 0 // unguarded: the race detector tells of two calls at a time
	stop, err := list.Watch(func(r Report) {
		if inside++; inside != 1 {
			t.Error("two calls at a time")
		}
		if len(r.Reloaded) > 0 {
			said <- list.Servers()
		}
		inside--
	})
	if !errors.Is(err, errLate) {
		t.Errorf("error is %v", err)
	}
	changed := <-s.changed
	d.write("b", conf("192.0.2.4"))
	for range 100 {
		changed()
		time.Sleep(time.Millisecond)
	}
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.4:53")
	stop()
	<-s.stopped
}
