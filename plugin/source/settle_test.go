package source

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// look is what a test has a file say at a moment, and what is to be in use then.
type look struct {
	at   time.Duration
	says string // nameservers, of which each line ends with "/"; "!": it is unusable
	want string
}

const ms = time.Millisecond

func TestSettling(t *testing.T) {
	for _, tc := range []struct {
		what  string
		looks []look
	}{
		{"what comes first counts at once", []look{{0, "1/2/", "1 2"}}},
		{"what comes first without an end does not", []look{{0, "1/2", ""}, {1999 * ms, "1/2", ""}, {2000 * ms, "1/2", "1 2"}}},
		{"more counts at once", []look{{0, "1/", "1"}, {ms, "1/2/", "1 2"}, {2 * ms, "3/1/2/", "3 1 2"}}},
		{"another order counts at once", []look{{0, "1/2/", "1 2"}, {ms, "2/1/", "2 1"}}},
		{"a half, then the other", []look{{0, "1/2/", "1 2"}, {ms, "1/", "1 2"}, {1990 * ms, "1/2/", "1 2"}, {9000 * ms, "1/", "1 2"}}},
		{"less", []look{{0, "1/2/", "1 2"}, {1000 * ms, "1/", "1 2"}, {2999 * ms, "1/", "1 2"}, {3000 * ms, "1/", "1"}}},
		{"others", []look{{0, "1/2/", "1 2"}, {1000 * ms, "1/3/", "1 2"}, {2999 * ms, "1/3/", "1 2"}, {3000 * ms, "1/3/", "1 3"}}},
		{"others in halves", []look{{0, "1/2/", "1 2"}, {ms, "3/", "1 2"}, {690 * ms, "3/2/", "1 2"}, {2689 * ms, "3/2/", "1 2"}, {2690 * ms, "3/2/", "3 2"}}},
		{"nothing, then all", []look{{0, "1/2/", "1 2"}, {ms, "!", "1 2"}, {1990 * ms, "1/2/", "1 2"}}},
		{"nothing, then others", []look{{0, "1/", "1"}, {ms, "!", "1"}, {100 * ms, "2/", "1"}, {2099 * ms, "2/", "1"}, {2100 * ms, "2/", "2"}}},
		{"nothing", []look{{0, "1/2/", "1 2"}, {ms, "!", "1 2"}, {2001 * ms, "!", "1 2 !"}}},
		{"half a line, then its rest", []look{{0, "1/2/", "1 2"}, {ms, "1/2/5", "1 2"}, {1990 * ms, "1/2/53/", "1 2 53"}}},
		{"no end, ever", []look{{0, "1/", "1"}, {ms, "1/2", "1"}, {2001 * ms, "1/2", "1 2"}, {2100 * ms, "1/2", "1 2"}}},
		{"no end where it always was", []look{{0, "1/2/", "1 2"}, {ms, "1/2", "1 2"}, {2 * ms, "1/3/2", "1 3 2"}}},
		{"more than was there, then less", []look{{0, "1/2/", "1 2"}, {ms, "3/4/", "1 2"}, {100 * ms, "3/", "1 2"}, {2099 * ms, "3/", "1 2"}, {2100 * ms, "3/", "3"}}},
		{"a half every other time", []look{{0, "1/2/", "1 2"}, {1000 * ms, "1/", "1 2"}, {1900 * ms, "1/2/", "1 2"}, {2900 * ms, "1/", "1 2"}, {3900 * ms, "1/2/", "1 2"}, {5100 * ms, "1/", "1 2"}}},
		{"no rest, of less", []look{{0, "1/2/3/", "1 2 3"}, {ms, "1/", "1 2 3"}, {1000 * ms, "1/2/", "1 2 3"}, {2000 * ms, "!", "1 2 3"}, {3000 * ms, "1/2", "1 2 3"}, {4000 * ms, "!", "1 2 3"}, {4001 * ms, "1/", "1 2"}}},
		{"no rest, of others", []look{{0, "1/2/", "1 2"}, {ms, "3/", "1 2"}, {1000 * ms, "3/4/", "1 2"}, {2000 * ms, "3/", "1 2"}, {3000 * ms, "3/4", "1 2"}, {4001 * ms, "!", "3 4"}}},
		{"no rest, of ever others", []look{{0, "1/", "1"}, {ms, "2/", "1"}, {1500 * ms, "3/", "1"}, {3000 * ms, "4/", "1"}, {4001 * ms, "5/", "5"}}},
		{"no rest, of half lines", []look{{0, "1/2/", "1 2"}, {ms, "1/5", "1 2"}, {1000 * ms, "1/53/", "1 2"}, {2000 * ms, "1/5", "1 2"}, {3000 * ms, "1/53/", "1 2"}, {4001 * ms, "1/5", "1 53"}}},
		{"no rest, of nothing", []look{{0, "1/", "1"}, {ms, "!", "1"}, {1500 * ms, "!!", "1"}, {3000 * ms, "!", "1"}, {4001 * ms, "!!", "1 !"}}},
		{"one wait after another", []look{{0, "1/2/", "1 2"}, {ms, "1/", "1 2"}, {2001 * ms, "1/", "1"}, {2002 * ms, "2/", "1"}, {4001 * ms, "2/", "1"}, {4002 * ms, "2/", "2"}}},
	} {
		var s settling
		var inUse []server.Server
		begin := time.Now()
		for _, l := range tc.looks {
			now := reading{Reading: Reading{Text: []byte(l.says), Open: !strings.HasSuffix(l.says, "/")}}
			if strings.HasPrefix(l.says, "!") {
				now.err = errors.New("it is unusable" + l.says)
			} else {
				now.Servers = numbered(strings.FieldsFunc(l.says, func(r rune) bool { return r == '/' }))
			}
			got, settled := s.add(now, inUse, begin.Add(l.at))
			failed := ""
			switch {
			case settled && got.err != nil:
				failed = " !"
			case settled:
				inUse = got.Servers
			}
			if !equal(inUse, numbered(strings.Fields(strings.TrimSuffix(l.want, " !")))) || (failed != "") != strings.HasSuffix(l.want, "!") {
				t.Errorf("%s: at %v %v%s are in use, want %s", tc.what, l.at, inUse, failed, l.want)
			}
		}
	}
}

// changing is a file that says something else each time that it is read, but never all.
type changing struct{ reads int }

func (*changing) String() string  { return "changing" }
func (*changing) files() []string { return []string{"/nowhere"} }
func (c *changing) Read() (Reading, error) {
	c.reads++
	servers := numbered([]string{"1", "2", "3"})
	if c.reads > 1 {
		servers = servers[:1+c.reads%2]
	}
	return Reading{Servers: servers, Text: fmt.Appendln(nil, c.reads)}, nil
}

// Who writes again and again, as to a log, does not hold the list for ever; and is not
// listened to all the time either.
func TestWatchNeverSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := &List{entries: []*entry{{source: new(changing)}}}
		list.Read()
		begin := time.Now()
		type seen struct {
			at      time.Duration
			servers int
		}
		var changes []seen
		reads := 0
		stop := watch(nil, nil, never, func(c change) bool {
			reads++
			r, settled := list.read(list.entries, c)
			if len(r.Reloaded) > 0 {
				changes = append(changes, seen{time.Since(begin), len(list.Servers())})
			}
			return settled
		}).stop
		time.Sleep(restMost + time.Second)
		stop()
		synctest.Wait()
		if len(changes) != 1 || changes[0].servers != 2 || changes[0].at < restMost || changes[0].at >= restMost+rereadTime || reads > int(restMost/rereadTime)+2 {
			t.Errorf("%d readings, changes are %v", reads, changes)
		}
	})
}

// A file that is written again and again is not at rest, though it is the same each time
// that it is read.
func TestSettlingModified(t *testing.T) {
	var s settling
	begin := time.Now()
	for at := time.Duration(0); at <= restMost; at += 100 * ms {
		now := reading{Reading: Reading{Servers: numbered([]string{"1"}), Text: []byte("1"), Modified: begin.Add(at)}}
		if _, settled := s.add(now, numbered([]string{"1", "2"}), begin.Add(at)); settled != (at == restMost) {
			t.Errorf("at %v it has settled: %v", at, settled)
		}
	}
}

// numbered are servers that have only the end of their addresses.
func numbered(ends []string) (list []server.Server) {
	for _, end := range ends {
		list = append(list, plain("192.0.2."+end+":53")...)
	}
	return list
}

// halves writes a list in place again and again, in two parts with a pause between
// them and after them, until the function is called. It tells how long the list was
// never whole at most.
func halves(d tree, name string, pause, after time.Duration, parts ...string) (end func() (torn time.Duration)) {
	stop := make(chan struct{})
	var writer sync.WaitGroup
	var torn time.Duration
	writer.Go(func() {
		for {
			f, err := os.Create(d.path(name))
			if err != nil {
				d.t.Error(err)
				return
			}
			begin := time.Now()
			for i, part := range parts {
				if i > 0 {
					time.Sleep(pause)
				}
				fmt.Fprint(f, part)
			}
			torn = max(torn, time.Since(begin))
			f.Close()
			select {
			case <-stop:
				return
			case <-time.After(after):
			}
		}
	})
	return func() time.Duration {
		close(stop)
		writer.Wait()
		return torn
	}
}

// Nobody who pauses within a list, or never rests, has half of it taken for all.
func TestWatchHalves(t *testing.T) {
	t.Parallel()
	first, second := "nameserver 192.0.2.1\n", "nameserver 192.0.2.2\n"
	for what, tc := range map[string]struct {
		events       bool
		pause, after time.Duration
		second       string
	}{
		"a pause":            {true, 500 * ms, 300 * ms, second},
		"no rest":            {true, 25 * ms, 25 * ms, second},
		"no rest and no end": {true, 25 * ms, 25 * ms, strings.TrimSpace(second)},
		"hardly ever whole":  {true, 40 * ms, 10 * ms, second},
		"no rest, no events": {false, 25 * ms, 25 * ms, second},
		"a pause, no events": {false, 500 * ms, 300 * ms, second},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			d := tree{t, t.TempDir()}
			d.write("resolv.conf", conf("192.0.2.1", "192.0.2.2"))
			var events fileEvents
			poll := 100 * ms
			if tc.events {
				events, poll = newEvents(t), never
			}
			var mu sync.Mutex
			var wrong []string
			begun := make(chan struct{})
			once := sync.OnceFunc(func() { close(begun) })
			followWith(t, events, poll, func(list *List, r Report) {
				mu.Lock()
				defer mu.Unlock()
				if got := list.Servers(); !equal(got, plain("192.0.2.1:53", "192.0.2.2:53")) || len(r.Problems) > 0 {
					wrong = append(wrong, fmt.Sprint(got, r.Problems))
				}
				once()
			}, d.path("resolv.conf"))
			<-begun
			end := halves(d, "resolv.conf", tc.pause, tc.after, first, tc.second)
			time.Sleep(4 * time.Second)
			torn := end()
			mu.Lock()
			defer mu.Unlock()
			if len(wrong) > 0 && torn < time.Second { // else the machine stalled
				t.Errorf("it was taken for %v", wrong)
			}
		})
	}
}

// A list that is whole at times is taken, though its writer never rests.
func TestWatchRestless(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1", "192.0.2.2", "192.0.2.3"))
	said := follow(t, true, never, d.path("resolv.conf"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")
	end := halves(d, "resolv.conf", 25*ms, 25*ms, "nameserver 192.0.2.1\n", "nameserver 192.0.2.2\n")
	defer end()
	await(t, said, "192.0.2.1:53", "192.0.2.2:53")
}
