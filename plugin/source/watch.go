package source

import (
	"sync"
	"time"
)

const (
	eventRest  = 100 * time.Millisecond // without an event, before files are read
	eventMost  = 200 * time.Millisecond // from the first event to reading, if events go on
	rereadTime = 37 * time.Millisecond  // between two readings of a file that may be half written; no writer is likely to have this rhythm
	slowPoll   = 15 * time.Second       // beside events, for file systems and mounts that have none
	fastPoll   = time.Second            // instead of events
)

// watchFiles watches several files as one. It calls read at the beginning, and when something
// about the files has changed, or look was called, one call at a time, until stop is called.
// As long as read returns false, because a file may be half written, it is called again every
// rereadTime.
//
// The last name of a file may be [anything]. The error says that there are no events; then
// the files are looked at once a second.
func watchFiles(files []string, read func(change) (settled bool)) (w *watcher, err error) {
	events, err := newFileEvents()
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
	events    fileEvents // nil: there are none
	pollTime  time.Duration
	readFiles func(change) (settled bool)
	again     chan struct{} // that is to be read though no file has changed
	done      chan struct{}
	stop      func() // may be called more than once, and does not wait for a call under way

	late   string // why changes are noticed late; empty: they are not
	warned string // the last warning, while it is true
	poll   *time.Ticker
	due    *time.Timer // when the files are to be read

	seen      []sight         // before the files were last read
	first     time.Time       // event or poll after which the files were not read yet; zero: none
	moved     bool            // something was replaced or removed since then
	written   map[string]bool // paths that were written to since then, and not replaced after that
	unsettled bool            // when they were last read a file may have been half written
}

func watch(files []string, events fileEvents, poll time.Duration, read func(change) (settled bool)) *watcher {
	w := &watcher{files: files, events: events, pollTime: poll, readFiles: read, again: make(chan struct{}, 1), done: make(chan struct{}), written: make(map[string]bool)}
	w.stop = sync.OnceFunc(func() { close(w.done) })
	go w.run()
	return w
}

// look has the files read though none of them has changed.
func (w *watcher) look() {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

func (w *watcher) run() {
	var events <-chan fileEvent
	if w.events != nil {
		defer w.events.close()
		events = w.events.events()
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
				events, e.lost = nil, true
			}
			w.note(e)
		case <-w.again:
		case <-w.poll.C: // which is treated as an event: somebody may be writing just now
			if !w.first.IsZero() || w.late == "" && unchanged(w.seen, lookAt(w.files)) {
				continue
			}
		case <-w.due.C:
			w.read()
			continue
		}
		w.schedule()
	}
}

// note notes how the files change by an event.
func (w *watcher) note(e fileEvent) {
	if e.lost { // it may have been a write
		w.moved = false
	}
	if e.replaced {
		w.moved = true
		delete(w.written, e.path)
	}
	if e.written {
		w.written[e.path] = true
	}
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
	w.seen = lookAt(w.files)
	if w.unsettled = !w.readFiles(c); w.unsettled {
		w.due.Reset(rereadTime)
		return
	}
	w.first, w.moved = time.Time{}, false
	clear(w.written)
}

// find finds out where the files are now, and polls faster while some of what leads to them
// cannot be watched.
func (w *watcher) find() {
	if w.events == nil {
		return
	}
	before := w.late
	found, late := w.events.follow(w.files)
	for _, e := range found {
		w.note(e)
	}
	switch w.late = late; {
	case before == "" && late != "":
		w.poll.Reset(min(w.pollTime, fastPoll))
	case before != "" && late == "":
		w.poll.Reset(w.pollTime)
	}
}
