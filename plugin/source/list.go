package source

import (
	"bytes"
	"errors"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// List is the servers that are named one by one and by sources, in order and
// without duplicates. Its zero value names none. It must not be used by two
// goroutines at a time.
type List struct {
	entries []*entry
}

// entry is one server, or a source and what it said when it was last of use.
type entry struct {
	source  Source // nil: a server
	last    Reading
	read    bool   // last is what source said
	problem string // that the source has now; empty: none
}

// Report is what [List.Read] found.
type Report struct {
	Reloaded []string // sources that say something new
	Warnings []string // about what they say, as "file:3: ..."
	Problems []error  // why a source is of no use that was, or for another reason; its last servers stay
}

// AddServer adds a server.
func (l *List) AddServer(s server.Server) {
	l.entries = append(l.entries, &entry{last: Reading{Servers: []server.Server{s}}})
}

// Add adds a source. It is first read by Read.
func (l *List) Add(s Source) { l.entries = append(l.entries, &entry{source: s}) }

// Sources returns all sources, in order.
func (l *List) Sources() []Source {
	var all []Source
	for _, e := range l.entries {
		if e.source != nil {
			all = append(all, e.source)
		}
	}
	return all
}

// Servers returns all servers that are named, as of the last Read.
func (l *List) Servers() []server.Server {
	var all []server.Server
	seen := make(map[server.ID]bool)
	for _, e := range l.entries {
		for _, s := range e.last.Servers {
			if !seen[s.ID] {
				seen[s.ID] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// Read reads all sources again. One that is of no use, as a file that is being
// written just now, changes nothing: what it said before stays.
func (l *List) Read() Report {
	var r Report
	for _, e := range l.entries {
		if e.source != nil {
			e.reread(&r)
		}
	}
	return r
}

func (e *entry) reread(r *Report) {
	now, err := e.source.Read()
	if err != nil {
		if e.problem != err.Error() {
			e.problem = err.Error()
			r.Problems = append(r.Problems, err)
		}
		return
	}
	if e.problem == "" && e.read && bytes.Equal(now.Text, e.last.Text) {
		return
	}
	e.last, e.read, e.problem = now, true, ""
	r.Reloaded = append(r.Reloaded, e.source.String())
	r.Warnings = append(r.Warnings, now.Warnings...)
}

// Watch watches all sources as one, by the rules of [Source]. Unlike the other
// methods it may be called in a goroutine of its own, with changed the only other
// user of the list.
func (l *List) Watch(changed func()) (stop func(), err error) {
	var one sync.Mutex
	inTurn := func() {
		one.Lock()
		defer one.Unlock()
		changed()
	}
	var stops []func()
	var errs []error
	watched := func(stop func(), err error) {
		stops, errs = append(stops, stop), append(errs, err)
	}
	// Files are watched together: what is written to several at a time is read at
	// a time.
	var files []string
	for _, s := range l.Sources() {
		if file, ok := s.(File); ok {
			files = append(files, string(file))
		} else {
			watched(s.Watch(inTurn))
		}
	}
	if len(files) > 0 {
		watched(watchFiles(files, inTurn))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}, errors.Join(errs...)
}
