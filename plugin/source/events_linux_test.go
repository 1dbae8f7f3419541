package source

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// counted are events that count how often the ways to the files are followed.
type counted struct {
	fileEvents
	n atomic.Int32
}

func (c *counted) follow(files []string) ([]fileEvent, string) {
	c.n.Add(1)
	return c.fileEvents.follow(files)
}

// queued returns how many bytes of events there are to be read.
func queued(t *testing.T, w *inotify) int {
	t.Helper()
	n := 0
	var err error
	if closed := w.raw.Control(func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }); closed != nil || err != nil {
		t.Fatal(closed, err)
	}
	return n
}

// What others write beside the list, or beside anything on the way to it, makes no event: the
// kernel has nothing to wake anybody for.
func TestWatchNoLog(t *testing.T) {
	t.Parallel()
	for what, build := range map[string]func(d tree){
		"a file": func(d tree) { d.write("etc/list", conf("192.0.2.1")) },
		"a link": func(d tree) {
			d.mkdir("etc/run")
			d.write("etc/run/target", conf("192.0.2.1"))
			d.link("etc/list", "run/target")
		},
	} {
		t.Run(what, func(t *testing.T) {
			d := tree{t, t.TempDir()}
			d.mkdir("etc")
			w, err := openInotify()
			d.ok(err)
			defer w.close()
			files := []string{d.path("etc/list")}
			for range 2 { // the way ends in a directory at first
				if _, late := w.follow(files); late != "" {
					t.Fatal(late)
				}
				build(d)
				build = func(tree) {}
			}
			if queued(t, w) == 0 {
				t.Error("the list came without an event")
			}
			var buf [4096]byte
			_, err = w.file.Read(buf[:])
			d.ok(err)
			writeLogs(d, 10_000, "log", "etc/log")
			if n := queued(t, w); n != 0 {
				t.Errorf("%d bytes of events", n)
			}
			d.ok(os.Chmod(d.path("etc/list"), 0o600))
			if queued(t, w) == 0 {
				t.Error("no event of the list itself")
			}
		})
	}
}

// writeLogs writes so many lines to each of these files.
func writeLogs(d tree, lines int, names ...string) {
	for _, name := range names {
		log, err := os.OpenFile(d.path(name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		d.ok(err)
		for i := range lines {
			_, err := fmt.Fprintln(log, "line", i)
			d.ok(err)
		}
		d.ok(log.Close())
	}
}

// The same of the whole watcher, by its looks; and that it goes on to watch.
func TestWatchNoLook(t *testing.T) {
	t.Parallel()
	d := tree{t, t.TempDir()}
	d.mkdir("etc")
	d.write("etc/list", conf("192.0.2.1"))
	events := &counted{fileEvents: newEvents(t)}
	calls := make(chan struct{}, 100)
	stop := watch([]string{d.path("etc/list")}, events, never, func(change) bool { calls <- struct{}{}; return true }).stop
	defer stop()
	<-calls
	before := events.n.Load()
	writeLogs(d, 10_000, "log", "etc/log")
	d.rename("log", "log.1")
	d.rename("etc/log", "etc/log.1")
	time.Sleep(2 * eventMost)
	if n := events.n.Load() - before; n != 0 || len(calls) != 0 {
		t.Errorf("%d looks, %d calls", n, len(calls))
	}
	d.write("etc/list", conf("192.0.2.2"))
	<-calls
}

// A relative path is one from the directory that the process is in, wherever that moves.
func TestWatchRelative(t *testing.T) {
	d := tree{t, t.TempDir()}
	d.mkdir("in")
	d.write("in/list", conf("192.0.2.1"))
	t.Chdir(d.path("in"))
	said := follow(t, true, never, "list")
	await(t, said, "192.0.2.1:53")
	list, err := os.OpenFile("list", os.O_APPEND|os.O_WRONLY, 0)
	d.ok(err)
	_, err = list.WriteString("nameserver 192.0.2.2\n")
	d.ok(err)
	d.ok(list.Close())
	await(t, said, "192.0.2.1:53", "192.0.2.2:53")
	d.remove("in/list")
	time.Sleep(2 * eventMost)
	d.write("in/list", conf("192.0.2.1", "192.0.2.2", "192.0.2.3"))
	await(t, said, "192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")
	d.rename("in", "out")
	d.write("new", conf("192.0.2.4"))
	d.rename("new", "out/list")
	await(t, said, "192.0.2.4:53")
}

// All that becomes of any file in a directory matters, and of the directory itself.
func TestWatchPattern(t *testing.T) {
	t.Parallel()
	for kind, newEvents := range kindsOfEvents {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := tree{t, t.TempDir()}
			d.mkdir("run")
			events, err := newEvents()
			d.ok(err)
			calls := make(chan change, 1000)
			stop := watch([]string{d.path("run/records/" + anything)}, events, never, func(c change) bool { calls <- c; return true }).stop
			defer stop()
			<-calls
			for _, step := range []struct {
				what  string
				do    func()
				sure  bool // whether it is whole
				whole bool
			}{
				{"made", func() { d.mkdir("run/records") }, false, false},
				{"written", func() { d.write("run/records/a", "1") }, false, false},
				{"written again", func() { d.write("run/records/a", "2") }, true, false},
				{"another", func() { d.write("run/b", "1"); d.rename("run/b", "run/records/b") }, true, true},
				{"a new name", func() { d.rename("run/records/b", "run/records/c") }, true, true},
				{"removed", func() { d.remove("run/records/c") }, true, true},
				{"the directory removed", func() { d.remove("run/records") }, false, true},
				{"and made again", func() { d.mkdir("run/records"); d.write("run/records/a", "3") }, false, false},
				{"written once more", func() { d.write("run/records/a", "4") }, true, false},
			} {
				time.Sleep(2 * eventMost) // for what belongs to the step before
				for len(calls) > 0 {
					<-calls
				}
				step.do()
				late := time.After(soon)
				for noticed := false; !noticed; {
					select {
					case c := <-calls:
						noticed = !step.sure || step.whole == c.replaced
					case <-late:
						t.Fatalf("%s: not noticed", step.what)
					}
				}
			}
		})
	}
}

// When the kernel has dropped events, what it has dropped may have been about the files.
func TestWatchOverflow(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	most, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || most == 0 || most > 1<<17 {
		t.Skipf("%d events can be queued", most)
	}
	d := tree{t, t.TempDir()}
	d.write("list", conf("192.0.2.1"))
	d.write("other0", "")
	w, err := openInotify()
	d.ok(err)
	w.follow([]string{d.path("list")})
	for i := range most + 1 {
		d.rename(fmt.Sprint("other", i), fmt.Sprint("other", i+1)) // of which none matters
	}
	d.rename("list", "gone") // for which there is no room
	go w.run()
	select {
	case e := <-w.events():
		if !e.lost {
			t.Errorf("%+v", e)
		}
	case <-time.After(soon):
		t.Error("it was not told")
	}
	w.close()
	for range w.events() {
	}
}

// fakeEvents are what a test sends.
type fakeEvents chan fileEvent

func (f fakeEvents) follow([]string) ([]fileEvent, string) { return nil, "" }
func (f fakeEvents) events() <-chan fileEvent              { return f }
func (f fakeEvents) close()                                {}

// What was lost is looked at, and may have been a write.
func TestWatchLost(t *testing.T) {
	t.Parallel()
	events, calls := make(fakeEvents), make(chan change, 100)
	stop := watch(nil, events, never, func(c change) bool { calls <- c; return true }).stop
	defer stop()
	<-calls
	events <- fileEvent{replaced: true}
	if c := <-calls; !c.replaced {
		t.Error("it is not whole")
	}
	events <- fileEvent{replaced: true}
	events <- fileEvent{lost: true}
	if c := <-calls; c.replaced {
		t.Error("it is whole")
	}
	close(events)
	if c := <-calls; c.replaced {
		t.Error("it is whole, when there are no more events")
	}
}

// Where no watch is left, files are looked at each second, and the reason is said once.
func TestWatchLimit(t *testing.T) {
	const limit = "/proc/sys/user/max_inotify_watches"
	if os.Getenv("WATCH_LIMIT") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWatchLimit$", "-test.timeout=1m")
		cmd.Env = append(os.Environ(), "WATCH_LIMIT=1", "TMPDIR="+t.TempDir())
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState == nil {
			t.Skip("no user namespace: ", err)
		}
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	d := tree{t, t.TempDir()}
	if err := os.WriteFile(limit, []byte("2"), 0); err != nil {
		t.Skip(err)
	}
	d.write("list", conf("192.0.2.1"))
	warnings := make(chan string, 100)
	said := make(chan string, 100)
	list := new(List)
	list.Add(File(d.path("list")))
	stop, err := list.Watch(func(r Report) {
		for _, w := range r.Warnings {
			warnings <- w
		}
		if len(r.Reloaded) > 0 {
			said <- fmt.Sprint(list.Servers())
		}
	})
	d.ok(err)
	defer stop()
	<-said
	if w := <-warnings; !strings.Contains(w, "raise fs.inotify.max_user_watches") || !strings.Contains(w, "; polling every second") {
		t.Error(w)
	}
	replace := func(server string) {
		d.write("new", conf(server))
		d.rename("new", "list")
		<-said
	}
	replace("192.0.2.2")
	d.ok(os.WriteFile(limit, []byte("100"), 0))
	time.Sleep(3 * fastPoll)
	replace("192.0.2.3")
	if n := len(warnings); n != 0 {
		t.Errorf("%d more warnings: %s", n, <-warnings)
	}
}
