package source

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	eventRest  = 100 * time.Millisecond // without an event, before files are read
	eventMost  = 200 * time.Millisecond // from the first event to reading, if events go on
	rereadTime = 37 * time.Millisecond  // between two readings of a file that may be half written; no writer is likely to have this rhythm
	slowPoll   = 4 * time.Second        // beside events, for file systems and mounts that have none
	fastPoll   = time.Second            // instead of events
)

// watchFiles watches several files as one. It calls read at the beginning, when something
// about the files has changed, and now and then without reason, one call at a time, until
// stop is called. As long as read returns false, because a file may be half written, it is
// called again every rereadTime.
//
// The last name of a file may be [anything]. The error says that there are no events; then
// the files are read once a second.
func watchFiles(files []string, read func(change) (settled bool)) (stop func(), err error) {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return watch(files, nil, fastPoll, read), noEvents("", err)
	}
	return watch(files, events, slowPoll, read), nil
}

// change tells how files have changed since they were last read.
type change struct {
	replaced bool   // what changed was replaced as a whole, as by renaming, or removed from a directory of files; nobody wrote to it in place
	first    bool   // they were not read before
	warning  string // why changes are noticed late from now on; empty: nothing new
}

// watcher is one call of watchFiles: an event is noted; when no other follows, the files are
// read; and while one of them may be half written, they are read again.
type watcher struct {
	files     []string
	events    *fsnotify.Watcher // nil: there are none
	pollTime  time.Duration
	readFiles func(change) (settled bool)
	done      chan struct{}

	paths         // whose events matter
	warned string // the last warning, while it is true
	poll   *time.Ticker
	due    *time.Timer // when the files are to be read

	first     time.Time       // event or poll after which the files were not read yet; zero: none
	moved     bool            // something was replaced or removed since then
	written   map[string]bool // paths that were written to since then, and not replaced after that
	unsettled bool            // when they were last read a file may have been half written
}

func watch(files []string, events *fsnotify.Watcher, poll time.Duration, read func(change) (settled bool)) (stop func()) {
	w := &watcher{files: files, events: events, pollTime: poll, readFiles: read, done: make(chan struct{}), written: make(map[string]bool)}
	go w.run()
	return sync.OnceFunc(func() { close(w.done) })
}

func (w *watcher) run() {
	var events <-chan fsnotify.Event
	var lost <-chan error
	if w.events != nil {
		defer w.events.Close()
		events, lost = w.events.Events, w.events.Errors
	}
	w.poll = time.NewTicker(w.pollTime)
	defer w.poll.Stop()
	w.due = time.NewTimer(0) // something may have changed before the watch began
	defer w.due.Stop()
	for {
		select {
		case <-w.done:
			return
		case e, ok := <-events:
			if !ok { // only polling is left
				events, lost, w.moved = nil, nil, false
			} else if !w.note(e) {
				continue
			}
		case <-lost: // one of these may have been a write
			w.moved = false
		case <-w.poll.C: // which is treated as an event: somebody may be writing just now
			if !w.first.IsZero() {
				continue
			}
		case <-w.due.C:
			w.read()
			continue
		}
		w.schedule()
	}
}

// note notes how the files change by an event. It returns false if that is not about them.
func (w *watcher) note(e fsnotify.Event) bool {
	among := w.concerns[filepath.Join(filepath.Dir(e.Name), anything)]
	if !among && !w.concerns[e.Name] {
		return false
	}
	if e.Has(fsnotify.Create) || among && e.Has(fsnotify.Remove) {
		w.moved = true
		delete(w.written, e.Name)
	}
	if e.Has(fsnotify.Write) {
		w.written[e.Name] = true
	}
	return true
}

// schedule has the files read when there has been no event for eventRest.
func (w *watcher) schedule() {
	if w.unsettled { // they will be read soon anyway
		return
	}
	w.find()
	now := time.Now()
	if w.first.IsZero() {
		w.first = now
	}
	w.due.Reset(min(eventRest, w.first.Add(eventMost).Sub(now)))
}

// read has the files read, and if they have not settled read again.
func (w *watcher) read() {
	w.find()
	c := change{replaced: w.moved && len(w.written) == 0}
	if w.late != w.warned {
		w.warned, c.warning = w.late, w.late
	}
	if w.unsettled = !w.readFiles(c); w.unsettled {
		w.due.Reset(rereadTime)
		return
	}
	w.first, w.moved = time.Time{}, false
	clear(w.written)
}

// find finds out where the files are now, and polls faster while some directory on the way
// cannot be watched.
func (w *watcher) find() {
	if w.events == nil {
		return
	}
	before := w.late
	w.paths = find(w.files, w.paths, w.events)
	switch {
	case before == "" && w.late != "":
		w.poll.Reset(min(w.pollTime, fastPoll))
	case before != "" && w.late == "":
		w.poll.Reset(w.pollTime)
	}
}
