package source

import (
	"errors"
	"os"
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

// It is reported when all sources were read since they are watched. A file that was modified
// some time ago counts then as it is, also without servers that it had before; one that is
// being written does not.
func TestWatchCompletes(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	for _, modified := range []time.Duration{2 * restTime, 0} {
		d.write("a", conf("192.0.2.1", "192.0.2.2"))
		s := &told{servers: plain("192.0.2.3:53"), changed: make(chan func(), 1), stopped: make(chan struct{})}
		list := new(List)
		list.Add(File(d.path("a")))
		list.Add(s)
		list.Add(File(d.path("missing")))
		list.Read()
		d.write("a", conf("192.0.2.2"))
		at := time.Now().Add(-modified)
		if err := os.Chtimes(d.path("a"), at, at); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		type look struct {
			complete bool
			servers  []server.Server
			after    time.Duration
		}
		looks := make(chan look, 1000)
		stop, _ := list.Watch(func(r Report) {
			select {
			case looks <- look{r.Complete, list.Servers(), time.Since(began)}:
			default:
			}
		})
		changed := <-s.changed
		if first := <-looks; first.complete {
			t.Error("complete before all were read")
		}
		changed()
		for l := range looks {
			if !l.complete {
				continue
			}
			if !equal(l.servers, plain("192.0.2.2:53", "192.0.2.3:53")) {
				t.Errorf("modified %v before: servers are %v when it is complete", modified, l.servers)
			}
			if modified == 0 && l.after < restTime/2 {
				t.Errorf("complete after %v, while somebody may be writing", l.after)
			}
			break
		}
		stop()
	}
}
