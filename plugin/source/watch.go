package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	settleTime = 100 * time.Millisecond // of peace after an event, for a writer to finish
	settleMost = 200 * time.Millisecond // in which a writer who never rests is read all the same
	slowPoll   = 4 * time.Second        // beside events, for file systems and mounts that have none
	fastPoll   = time.Second            // in place of events
	maxLinks   = 40                     // symbolic links in a path, as in Linux

	anything = "*" // in place of the last name of a path: all that is in the directory
)

// glance is what a watch of files has noticed of the change that it tells.
type glance struct {
	whole    bool  // the files were put in their places whole, as by renaming, and not written since
	restless bool  // somebody wrote just now
	late     error // why changes are noticed late; nil: they are not
}

// watchFiles watches several files as one, by the rules of [Source], but that what
// changed returns is how soon it wants to be called again, whatever else happens
// until then; 0 leaves that to events.
//
// A file is known by its path, so all directories on the way to it are watched,
// through symbolic links: then it does not matter how somebody replaces the
// file, a link, or a directory. The last name may stand for anything in a directory. The error says that there are no events; then
// the files are looked at once a second.
func watchFiles(files []string, changed func(glance) (again time.Duration)) (stop func(), err error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return watch(files, nil, fastPoll, changed), noEvents("", err)
	}
	return watch(files, events, slowPoll, changed), nil
}

// noEvents says why changes are noticed late, and what to do.
func noEvents(where string, err error) error {
	remedy := ""
	switch {
	case errors.Is(err, syscall.EMFILE):
		remedy = "; raise the limit of open files or fs.inotify.max_user_instances"
	case errors.Is(err, syscall.ENOSPC):
		remedy = "; raise fs.inotify.max_user_watches"
	}
	return fmt.Errorf("files are looked at once a second, because the system gives no events%s: %w%s", where, err, remedy)
}

// watcher is one call of watchFiles.
type watcher struct {
	files    []string
	events   *fsnotify.Watcher // nil: there are none
	poll     time.Duration
	changed  func(glance) (again time.Duration)
	done     chan struct{}
	dirs     map[string]bool // that are watched
	concerns map[string]bool // paths whose events matter
	late     error           // why some directory is not watched; nil: all are
}

func watch(files []string, events *fsnotify.Watcher, poll time.Duration, changed func(glance) (again time.Duration)) (stop func()) {
	w := &watcher{files: files, events: events, poll: poll, changed: changed, done: make(chan struct{})}
	go w.run()
	return sync.OnceFunc(func() { close(w.done) })
}

func (w *watcher) run() {
	var events <-chan fsnotify.Event
	var failures <-chan error
	if w.events != nil {
		defer w.events.Close()
		events, failures = w.events.Events, w.events.Errors
	}
	poll := time.NewTicker(w.poll)
	defer poll.Stop()
	settled := time.NewTimer(0) // something may have changed before the watch began
	defer settled.Stop()
	var (
		since    time.Time // of the first event that was not told yet; zero: none
		last     time.Time // event
		sampling bool      // whoever is told wants to be told again soon
		came     bool      // something was put in its place
	)
	written := make(map[string]bool) // paths, since something was put there
	look := func() {
		before := w.late
		w.look()
		if (before == nil) != (w.late == nil) {
			poll.Reset(w.pollTime())
		}
	}
	for {
		select {
		case <-w.done:
			return
		case e, ok := <-events:
			if !ok { // polling remains
				events, failures = nil, nil
				came = false
				break
			}
			member := w.concerns[filepath.Join(filepath.Dir(e.Name), anything)]
			if !w.concerns[e.Name] && !member {
				continue
			}
			last = time.Now()
			if member && e.Has(fsnotify.Remove) { // nothing is to come in its place
				came = true
			}
			if e.Has(fsnotify.Create) {
				came = true
				delete(written, e.Name)
			}
			if e.Has(fsnotify.Write) {
				written[e.Name] = true
			}
		case <-failures: // events were lost
			came, last = false, time.Now()
		case <-poll.C: // it may be half written just now, as after an event
			if !since.IsZero() {
				continue
			}
		case <-settled.C:
			restless := time.Since(last) < settleTime
			look()
			again := w.changed(glance{whole: came && len(written) == 0, restless: restless, late: w.late})
			sampling = again > 0
			if !sampling {
				since, came = time.Time{}, false
				clear(written)
				if restless {
					again = settleTime
				}
			}
			if again > 0 {
				settled.Reset(again)
			}
			continue
		}
		if sampling {
			continue
		}
		look()
		now := time.Now()
		if since.IsZero() {
			since = now
		}
		settled.Reset(min(settleTime, since.Add(settleMost).Sub(now)))
	}
}

// pollTime is how often files are looked at without an event.
func (w *watcher) pollTime() time.Duration {
	if w.late != nil {
		return min(w.poll, fastPoll)
	}
	return w.poll
}

// look finds out which directories lead to the files at present, and watches
// these.
func (w *watcher) look() {
	if w.events == nil {
		return
	}
	old := w.dirs
	w.dirs, w.concerns, w.late = make(map[string]bool), make(map[string]bool), nil
	for _, file := range w.files {
		w.follow(file)
	}
	for dir := range old {
		if !w.dirs[dir] {
			_ = w.events.Remove(dir) // an error says that it is gone
		}
	}
}

// follow watches all directories on the way to a file, and notes the names that
// are looked up in them. It stops where the way ends. Each is watched before it is
// looked into, so that nothing can change unnoticed in between.
func (w *watcher) follow(file string) {
	if !filepath.IsAbs(file) {
		dir, err := os.Getwd()
		if err != nil {
			return
		}
		file = dir + string(filepath.Separator) + file
	}
	root := filepath.VolumeName(file) + string(filepath.Separator)
	dir, rest := root, split(file[len(root):])
	for links := 0; len(rest) > 0 && links <= maxLinks; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." { // of a link's target; dir is without links
			dir = filepath.Dir(dir)
			continue
		}
		if !w.dirs[dir] {
			w.dirs[dir] = true
			// Also if it was watched before: it may be another by the same name. What
			// cannot be watched is polled.
			if err := w.events.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				w.late = noEvents(" for "+dir, err)
			}
		}
		path := filepath.Join(dir, name)
		w.concerns[path] = true
		target, err := os.Readlink(path)
		if err != nil { // no link, or nothing at all
			dir = path
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				return
			}
			continue
		}
		links++
		if filepath.IsAbs(target) {
			dir = root
		}
		rest = append(split(target), rest...)
	}
}

// split returns the names in a path. Those before ".." stay, for one may be a link.
func split(path string) []string {
	names := strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
	return slices.DeleteFunc(names, func(name string) bool { return name == "." })
}
