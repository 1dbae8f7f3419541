package source

import (
	"errors"
	"slices"
	"sync"
)

// Watch follows all sources: it reads them at the beginning, and again whenever they may
// have changed, and reports each reading, one call at a time, until stop is called. That may
// be done more than once, and does not wait for a call under way. The error says why
// changes are noticed late; stop is to be called all the same.
//
// A file that may be half written changes nothing until it has settled; see [settling].
// Once Watch is called, nobody but report may use the list. Watch may wait for a source, so
// it is best called in a goroutine of its own.
func (l *List) Watch(report func(Report)) (stop func(), err error) {
	var one sync.Mutex
	unread := make(map[*entry]bool)
	for _, e := range l.entries {
		if e.source != nil {
			unread[e] = true
		}
	}
	read := func(entries []*entry, c change) (settled bool) {
		one.Lock()
		defer one.Unlock()
		c.first = slices.ContainsFunc(entries, func(e *entry) bool { return unread[e] })
		r, settled := l.read(entries, c)
		for _, e := range entries {
			if settled || e.err != nil { // which changes no servers
				delete(unread, e)
			}
		}
		r.Complete = len(unread) == 0
		report(r)
		return settled
	}
	whole := func(entries ...*entry) (changed func()) {
		return func() { read(entries, change{replaced: true}) }
	}
	var stops []func()
	var errs []error
	add := func(stop func(), err error) {
		stops, errs = append(stops, stop), append(errs, err)
	}
	// Files are watched together, so that changes to several at a time are one change of
	// the upstreams.
	var names []string
	var files, others []*entry
	for _, e := range l.entries {
		switch s := e.source.(type) {
		case inFiles:
			names, files = append(names, s.files()...), append(files, e)
		case Watcher:
			others = append(others, e)
			add(s.Watch(whole(e)))
		}
	}
	interfaces := whole(others...)
	if len(files) > 0 {
		w, err := watchFiles(names, func(c change) bool { return read(files, c) })
		add(w.stop, err)
		interfaces = func() {
			w.look() // what records say is up to the interfaces
			whole(others...)()
		}
	}
	if l.links {
		add(watchInterfaces(interfaces))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}, errors.Join(errs...)
}
