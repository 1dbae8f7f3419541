package source

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/server"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

const (
	soon  = testkit.Patience // in which a busy machine comes round to it
	never = time.Hour
)

// conf is a file with these nameservers.
func conf(servers ...string) string {
	text := "search example\n"
	for _, s := range servers {
		text += "nameserver " + s + "\n"
	}
	return text
}

// tree is a directory in which a test puts files and links.
type tree struct {
	t *testing.T
	string
}

func (d tree) path(name string) string { return filepath.Join(d.string, name) }

func (d tree) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d tree) mkdir(name string) { d.t.Helper(); d.ok(os.Mkdir(d.path(name), 0o755)) }

func (d tree) write(name, text string) {
	d.t.Helper()
	d.ok(os.WriteFile(d.path(name), []byte(text), 0o644))
}

func (d tree) link(name, target string) { d.t.Helper(); d.ok(os.Symlink(target, d.path(name))) }

func (d tree) rename(from, to string) { d.t.Helper(); d.ok(os.Rename(d.path(from), d.path(to))) }

func (d tree) remove(name string) { d.t.Helper(); d.ok(os.RemoveAll(d.path(name))) }

// follow watches the file and sends what it says, whenever that is new.
func follow(t *testing.T, events bool, poll time.Duration, files ...string) <-chan []server.Server {
	if !events {
		return followBy(t, nil, poll, files...)
	}
	return followBy(t, newEvents(t), poll, files...)
}

// newEvents returns the system's events of files.
func newEvents(t *testing.T) fileEvents {
	t.Helper()
	events, err := newFileEvents()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// kindsOfEvents are those of this system, and those of others that it has, too.
var kindsOfEvents = map[string]func() (fileEvents, error){
	"the system's": newFileEvents,
	"directories'": func() (fileEvents, error) { return newDirEvents() },
}

// followBy is follow with these events.
func followBy(t *testing.T, events fileEvents, poll time.Duration, files ...string) <-chan []server.Server {
	said := make(chan []server.Server, 100)
	followWith(t, events, poll, func(list *List, r Report) {
		if len(r.Reloaded) > 0 {
			said <- list.Servers()
		}
	}, files...)
	return said
}

// followWith watches the files by these events and tells of each reading.
func followWith(t *testing.T, events fileEvents, poll time.Duration, read func(*List, Report), files ...string) {
	list := new(List)
	for _, file := range files {
		list.Add(File(file))
	}
	stop := watch(files, events, poll, func(c change) bool {
		r, settled := list.read(list.entries, c)
		read(list, r)
		return settled
	}).stop
	t.Cleanup(stop)
}

// await returns when what is said is wanted.
func await(t *testing.T, said <-chan []server.Server, want ...string) {
	t.Helper()
	late := time.After(soon)
	for {
		select {
		case got := <-said:
			if slices.Equal(written(got), want) {
				return
			}
		case <-late:
			t.Fatalf("%v was not noticed", want)
		}
	}
}

// Whatever becomes of a file's name, what is there in the end is read. There is
// no polling here: events must tell.
func TestWatchEvents(t *testing.T) {
	t.Parallel()
	const before, after = "192.0.2.1", "192.0.2.2"
	plain := func(d tree) { d.write("resolv.conf", conf(before)) }
	linked := func(d tree) {
		d.mkdir("run")
		d.write("run/target", conf(before))
		d.link("resolv.conf", "run/target")
	}
	for _, tc := range []struct {
		what   string
		file   string
		before func(d tree)
		change func(d tree)
	}{
		{"written in place", "resolv.conf", plain, func(d tree) { d.write("resolv.conf", conf(after)) }},
		{"truncated, then written", "resolv.conf", plain, func(d tree) {
			d.write("resolv.conf", "")
			time.Sleep(2 * eventMost)
			d.write("resolv.conf", conf(after))
		}},
		{"written bit by bit", "resolv.conf", plain, func(d tree) {
			f, err := os.Create(d.path("resolv.conf"))
			d.ok(err)
			for _, c := range conf(after) {
				_, err := f.WriteString(string(c))
				d.ok(err)
				time.Sleep(20 * time.Millisecond)
			}
			d.ok(f.Close())
		}},
		{"renamed over", "resolv.conf", plain, func(d tree) {
			d.write("resolv.conf.tmp", conf(after))
			d.rename("resolv.conf.tmp", "resolv.conf")
		}},
		{"deleted and created", "resolv.conf", plain, func(d tree) {
			d.remove("resolv.conf")
			time.Sleep(2 * eventMost)
			d.write("resolv.conf", conf(after))
		}},
		{"not there at first", "resolv.conf", func(tree) {}, func(d tree) { d.write("resolv.conf", conf(after)) }},
		{"directory not there at first", "run/vpn/resolv.conf", func(tree) {}, func(d tree) {
			d.mkdir("run")
			d.mkdir("run/vpn")
			d.write("run/vpn/resolv.conf", conf(after))
		}},
		{"link set to another target", "resolv.conf", linked, func(d tree) {
			d.mkdir("other")
			d.write("other/target", conf(after))
			d.link("resolv.conf.tmp", "other/target")
			d.rename("resolv.conf.tmp", "resolv.conf")
		}},
		{"link removed and made again", "resolv.conf", linked, func(d tree) {
			d.write("other", conf(after))
			d.remove("resolv.conf")
			time.Sleep(2 * eventMost)
			d.link("resolv.conf", "other")
		}},
		{"link to a directory replaced", "link/target", func(d tree) {
			linked(d)
			d.link("link", "run")
		}, func(d tree) {
			d.mkdir("other")
			d.write("other/target", conf(after))
			d.remove("link")
			d.link("link", "other")
		}},
		{"target written", "resolv.conf", linked, func(d tree) { d.write("run/target", conf(after)) }},
		{"target renamed over", "resolv.conf", linked, func(d tree) {
			d.write("run/target.tmp", conf(after))
			d.rename("run/target.tmp", "run/target")
		}},
		{"target's directory removed and created", "resolv.conf", linked, func(d tree) {
			d.remove("run")
			time.Sleep(2 * eventMost)
			d.mkdir("run")
			d.write("run/target", conf(after))
		}},
		{"link in place of a file", "resolv.conf", plain, func(d tree) {
			d.write("target", conf(after))
			d.link("resolv.conf.tmp", d.path("target"))
			d.rename("resolv.conf.tmp", "resolv.conf")
		}},
		{"link that leads nowhere at first", "resolv.conf", func(d tree) { d.link("resolv.conf", "run/target") }, func(d tree) {
			d.mkdir("run")
			d.write("run/target", conf(after))
		}},
		{"links to links", "resolv.conf", func(d tree) {
			linked(d)
			d.rename("resolv.conf", "second")
			d.mkdir("deep")
			d.link("deep/first", "../second")
			d.link("resolv.conf", "deep/first")
		}, func(d tree) {
			d.remove("second")
			d.write("second", conf(after))
		}},
		{"a link up from where a link leads", "resolv.conf", func(d tree) {
			d.mkdir("far")
			d.mkdir("far/sub")
			d.write("far/target", conf(before))
			d.link("near", "far/sub")
			d.link("resolv.conf", "near/../target")
		}, func(d tree) { d.write("far/target", conf(after)) }},
		{"a ConfigMap's swap", "resolv.conf", func(d tree) {
			d.mkdir("..1")
			d.write("..1/resolv.conf", conf(before))
			d.link("..data", "..1")
			d.link("resolv.conf", "..data/resolv.conf")
		}, func(d tree) {
			d.mkdir("..2")
			d.write("..2/resolv.conf", conf(after))
			d.link("..data_tmp", "..2")
			d.rename("..data_tmp", "..data")
			d.remove("..1")
		}},
		{"directory removed and created", "run/resolv.conf", func(d tree) {
			d.mkdir("run")
			d.write("run/resolv.conf", conf(before))
		}, func(d tree) {
			d.remove("run")
			d.mkdir("run")
			d.write("run/resolv.conf", conf(after))
		}},
		{"directory replaced", "run/resolv.conf", func(d tree) {
			d.mkdir("run")
			d.write("run/resolv.conf", conf(before))
		}, func(d tree) {
			d.mkdir("run.new")
			d.write("run.new/resolv.conf", conf(after))
			d.rename("run", "run.old")
			d.rename("run.new", "run")
		}},
		{"directory above replaced", "a/b/resolv.conf", func(d tree) {
			d.mkdir("a")
			d.mkdir("a/b")
			d.write("a/b/resolv.conf", conf(before))
		}, func(d tree) {
			d.mkdir("new")
			d.mkdir("new/b")
			d.write("new/b/resolv.conf", conf(after))
			d.rename("a", "old")
			d.rename("new", "a")
		}},
	} {
		for kind, newEvents := range kindsOfEvents {
			t.Run(tc.what+" with "+kind+" events", func(t *testing.T) {
				t.Parallel()
				d := tree{t, t.TempDir()}
				tc.before(d)
				_, missing := os.Stat(d.path(tc.file))
				events, err := newEvents()
				d.ok(err)
				said := followBy(t, events, never, d.path(tc.file))
				if missing == nil {
					await(t, said, before+":53")
				}
				tc.change(d)
				await(t, said, after+":53")
				// Once more, for the watch goes on.
				d.ok(os.WriteFile(d.path(tc.file), []byte(conf(before)), 0o644))
				await(t, said, before+":53")
			})
		}
	}
}

// A change of what a file permits is an event as well.
func TestWatchPermission(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1"))
	calls := make(chan struct{}, 100)
	stop := watch([]string{d.path("resolv.conf")}, newEvents(t), never, func(change) bool { calls <- struct{}{}; return true }).stop
	defer stop()
	<-calls
	d.ok(os.Chmod(d.path("resolv.conf"), 0o600))
	select {
	case <-calls:
	case <-time.After(soon):
		t.Error("it was not noticed")
	}
}

// What has no events is looked at.
func TestWatchPoll(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1"))
	said := follow(t, false, 10*time.Millisecond, d.path("resolv.conf"))
	await(t, said, "192.0.2.1:53")
	d.write("resolv.conf", conf("192.0.2.2"))
	await(t, said, "192.0.2.2:53")
	d.remove("resolv.conf")
	d.write("resolv.conf", conf("192.0.2.3"))
	await(t, said, "192.0.2.3:53")
}

// Where there are no events, what has not changed is not read; what has is, though its size is
// the same.
func TestWatchPollUnchanged(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1"))
	d.mkdir("records")
	d.write("records/a", "1")
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"resolv.conf", "records/a", "records"} {
		d.ok(os.Chtimes(d.path(name), old, old))
	}
	calls := make(chan struct{}, 1000)
	w := watch([]string{d.path("resolv.conf"), d.path("records/" + anything), d.path("missing"), d.path("none/" + anything)}, nil, 10*time.Millisecond, func(change) bool { calls <- struct{}{}; return true })
	defer w.stop()
	<-calls
	time.Sleep(2 * eventMost)
	if n := len(calls); n != 0 {
		t.Errorf("%d calls though nothing has changed", n)
	}
	w.look()
	<-calls
	for _, change := range []func(){
		func() { d.write("resolv.conf", conf("192.0.2.2")) },
		func() { d.write("records/a", "2") },
		func() { d.write("records/b", "1") },
		func() { d.write("missing", "") },
		func() { d.mkdir("none") },
		func() { d.remove("records") },
		func() { d.ok(os.Chmod(d.path("resolv.conf"), 0o600)) },
	} {
		for _, name := range []string{"resolv.conf", "records/a", "records", "missing", "none"} {
			_ = os.Chtimes(d.path(name), old, old) // for some are not there
		}
		time.Sleep(2 * eventMost)
		for len(calls) > 0 {
			<-calls
		}
		change()
		select {
		case <-calls:
		case <-time.After(soon):
			t.Fatal("a change was not noticed")
		}
	}
}

func TestWatchSeveralFiles(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("a", conf("192.0.2.1", "192.0.2.2"))
	d.mkdir("run")
	d.write("run/b", conf("192.0.2.2", "192.0.2.3"))
	said := follow(t, true, never, d.path("a"), d.path("run/b"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")
	d.write("run/b", conf("192.0.2.4"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.4:53")
	d.write("a", "")
	time.Sleep(2 * eventMost)
	d.write("run/b", conf("192.0.2.3"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")
	d.write("a", conf("192.0.2.3", "192.0.2.9"))
	await(t, said, "192.0.2.3:53", "192.0.2.9:53")
}

// Whoever calls the function says that files may have changed, so it must not be
// called for other files.
func TestWatchMindsItsOwn(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1"))
	calls := make(chan struct{}, 100)
	stop := watch([]string{d.path("resolv.conf")}, newEvents(t), never, func(change) bool { calls <- struct{}{}; return true }).stop
	<-calls
	for i := range 10 {
		d.write(fmt.Sprint("other", i), "x")
	}
	d.write("new", conf("192.0.2.2"))
	d.rename("new", "resolv.conf") // one event, where to write in place is several
	<-calls
	time.Sleep(2 * eventMost)
	if n := len(calls); n != 0 {
		t.Errorf("%d more calls", n)
	}
	stop()
	stop()
}

func TestListRead(t *testing.T) {
	d := tree{t, t.TempDir()}
	d.write("a", conf("192.0.2.1", "192.0.2.1", "x"))
	list := new(List)
	if got := list.Servers(); got != nil {
		t.Errorf("an empty list names %v", got)
	}
	list.Add(File(d.path("a")))
	list.AddServer(server.Plain(netip.MustParseAddrPort("192.0.2.9:53")))
	list.Add(File(d.path("b")))
	if got := list.Sources(); !slices.Equal(got, []Source{File(d.path("a")), File(d.path("b"))}) {
		t.Errorf("sources are %v", got)
	}
	for _, step := range []struct {
		what                         string
		change                       func()
		reloaded, warnings, problems []string // the latter by how they start
		servers                      []string
	}{
		{"first", func() {}, []string{"a"}, []string{"a:4: \"x\" is not an IP address"},
			[]string{"cannot read upstreams: open " + d.path("b") + ": no such file or directory; create it"},
			[]string{"192.0.2.1:53", "192.0.2.9:53"}},
		{"nothing new", func() {}, nil, nil, nil, []string{"192.0.2.1:53", "192.0.2.9:53"}},
		{"b comes", func() { d.write("b", conf("192.0.2.9", "192.0.2.2")) }, []string{"b"}, nil, nil,
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"a is emptied", func() { d.write("a", "") }, nil, nil, []string{d.path("a") + " has no usable nameserver line"},
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"it is said once", func() {}, nil, nil, nil, []string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"a is junk", func() { d.write("a", "nameserver x\n") }, nil, nil, []string{d.path("a") + " has no usable nameserver line (line 1: "},
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"a is as before", func() { d.write("a", conf("192.0.2.1", "192.0.2.1", "x")) }, []string{"a"}, []string{"a:4: \"x\" is not"}, nil,
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"a is a directory", func() { d.remove("a"); d.mkdir("a") }, nil, nil, []string{"cannot read upstreams: " + d.path("a") + " is not a regular file"},
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"b is too large", func() { d.write("b", string(make([]byte, maxFile+1))) }, nil, nil, []string{"cannot read upstreams: " + d.path("b") + " is larger than"},
			[]string{"192.0.2.1:53", "192.0.2.9:53", "192.0.2.2:53"}},
		{"both are new", func() { d.remove("a"); d.write("a", conf("192.0.2.3")); d.write("b", conf("192.0.2.4")) },
			[]string{"a", "b"}, nil, nil, []string{"192.0.2.3:53", "192.0.2.9:53", "192.0.2.4:53"}},
	} {
		step.change()
		r := list.Read()
		var problems []string
		for _, err := range r.Problems {
			problems = append(problems, err.Error())
		}
		starts := func(got, want string) bool { return len(got) >= len(want) && got[:len(want)] == want }
		inDir := func(got, want string) bool { return starts(got, d.path(want)) }
		if !slices.EqualFunc(r.Reloaded, step.reloaded, inDir) || !slices.EqualFunc(r.Warnings, step.warnings, inDir) ||
			!slices.EqualFunc(problems, step.problems, starts) || !equal(list.Servers(), plain(step.servers...)) {
			t.Errorf("%s: got %+v and %v", step.what, r, list.Servers())
		}
	}
}

// Polling does not read what is being written just now, either. It may where the
// machine stalls, but would in every round if it did not wait.
func TestWatchPollSettles(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1", "192.0.2.2"))
	said := follow(t, true, 10*time.Millisecond, d.path("resolv.conf"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53")
	whole := 0
	for i := 0; whole < 10; i++ {
		if i == 200 {
			t.Fatalf("in %d of %d rounds half a file was read", i-whole, i)
		}
		f, err := os.Create(d.path("resolv.conf"))
		d.ok(err)
		fmt.Fprintf(f, "# %d\nnameserver 192.0.2.1\n", i)
		time.Sleep(eventRest / 2)
		fmt.Fprintf(f, "nameserver 192.0.2.2\n")
		d.ok(f.Close())
		if got := <-said; len(got) == 2 {
			whole++
		} else {
			await(t, said, "192.0.2.1:53", "192.0.2.2:53")
		}
	}
}

// What is put in its place whole counts as soon as it is noticed, what is written
// there does not.
func TestWatchWhole(t *testing.T) {
	t.Parallel()
	for what, tc := range map[string]struct {
		change func(d tree)
		whole  bool
	}{
		"renamed over": {func(d tree) { d.write("new", conf("192.0.2.3")); d.rename("new", "resolv.conf") }, true},
		"linked": {func(d tree) {
			d.write("new", conf("192.0.2.3"))
			d.link("tmp", "new")
			d.rename("tmp", "resolv.conf")
		}, true},
		"written":             {func(d tree) { d.write("resolv.conf", conf("192.0.2.3")) }, false},
		"removed and written": {func(d tree) { d.remove("resolv.conf"); d.write("resolv.conf", conf("192.0.2.3")) }, false},
		"renamed over and written": {func(d tree) {
			d.write("new", "#")
			d.rename("new", "resolv.conf")
			for range 2 * eventMost / (10 * time.Millisecond) { // more than one look
				d.write("resolv.conf", conf("192.0.2.3"))
				time.Sleep(10 * time.Millisecond)
			}
		}, false},
		"the other one is written": {func(d tree) { d.write("other", "#"); d.write("new", conf("192.0.2.3")); d.rename("new", "resolv.conf") }, false},
	} {
		t.Run(what, func(t *testing.T) {
			d := tree{t, t.TempDir()}
			d.write("resolv.conf", conf("192.0.2.1"))
			whole := make(chan bool, 100)
			stop := watch([]string{d.path("resolv.conf"), d.path("other")}, newEvents(t), never, func(c change) bool { whole <- c.replaced; return true }).stop
			defer stop()
			<-whole
			tc.change(d)
			got := <-whole
			if got && !tc.whole { // the machine may have stalled in between
				select {
				case got = <-whole:
				case <-time.After(soon):
				}
			}
			if got != tc.whole {
				t.Errorf("it is whole: %v", got)
			}
		})
	}
}

// Where the system has no watch left for a directory, that is said once, and files
// are looked at more often.
func TestWatchExhausted(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.write("resolv.conf", conf("192.0.2.1"))
	events := newEvents(t)
	events.close() // then nothing can be added, as with too few watches
	warnings := make(chan string, 100)
	said := make(chan []server.Server, 100)
	followWith(t, events, never, func(list *List, r Report) {
		for _, w := range r.Warnings {
			warnings <- w
		}
		if len(r.Reloaded) > 0 {
			said <- list.Servers()
		}
	}, d.path("resolv.conf"))
	await(t, said, "192.0.2.1:53")
	d.write("new", conf("192.0.2.2"))
	d.rename("new", "resolv.conf")
	await(t, said, "192.0.2.2:53")
	if n := len(warnings); n != 1 {
		t.Errorf("%d warnings", n)
	}
	if w := <-warnings; !strings.Contains(w, "unavailable for /") || !strings.Contains(w, "; polling every second") {
		t.Error(w)
	}
}
