package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// List is the servers that are named one by one and by sources, in order and
// without duplicates. Its zero value names none. It must not be used by two
// goroutines at a time.
type List struct {
	entries      []*entry
	links        bool // all that the system knows is in it
	nothingKnown bool // it was reported that the system knows no source at all
}

// entry is one server, or a source and what it said when it was last usable.
type entry struct {
	source   Source // nil: a server
	system   bool   // the source is one of those that the system may have
	last     Reading
	read     bool   // last is what source said
	err      error  // of the last time that it was read
	problem  string // that the source has now and that was reported; empty: none
	settling settling
}

// Report is what was found when sources were read.
type Report struct {
	Reloaded []string // sources that say something new
	Warnings []string // about what they say, as "file:3: ...", or about how they are followed
	Problems []error  // why sources are unusable; their last servers stay
}

// AddServer adds a server.
func (l *List) AddServer(s server.Server) {
	l.entries = append(l.entries, &entry{last: Reading{Servers: []server.Server{s}}})
}

// Add adds a source. It is not read yet.
func (l *List) Add(s Source) { l.entries = append(l.entries, &entry{source: s}) }

// AddLinks adds all resolvers that the system knows, each through its link: whatever
// sources of such knowledge it may have, each of which may come and go.
func (l *List) AddLinks() {
	if l.links {
		return
	}
	l.links = true
	for _, s := range systemSources() {
		l.entries = append(l.entries, &entry{source: s, system: true})
	}
}

// MayBeEmpty reports whether the list may be without servers for now, as that of a
// machine which has no network yet.
func (l *List) MayBeEmpty() bool { return l.links }

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

// Servers returns all servers that are named, as they were last read: each once, and one
// that is named with its link not without.
func (l *List) Servers() []server.Server {
	var all []server.Server
	for _, e := range l.entries {
		all = append(all, e.last.Servers...)
	}
	return merge(all)
}

// Read reads all sources, and takes what they say as it stands. One that is unusable
// changes nothing: what it said before stays.
func (l *List) Read() Report {
	r, _ := l.read(l.entries, change{replaced: true})
	return r
}

// Watch follows all sources. It reads them once at the beginning, and again whenever they
// may say something else, and calls read after that, one call at a time, until stop is
// called. That may be done more than once, and does not wait for a call under way. The
// error says why changes are noticed late; stop is to be called all the same.
//
// A file that may be half written changes nothing until it has settled; see [settling].
// From now on the list may be used by read only. Watch may wait for a source, so that it is
// best called in a goroutine of its own.
func (l *List) Watch(read func(Report)) (stop func(), err error) {
	var one sync.Mutex
	follow := func(entries []*entry, c change) (settled bool) {
		one.Lock()
		defer one.Unlock()
		r, settled := l.read(entries, c)
		read(r)
		return settled
	}
	whole := func(entries ...*entry) func() {
		return func() { follow(entries, change{replaced: true}) }
	}
	var stops []func()
	var errs []error
	add := func(stop func(), err error) {
		stops, errs = append(stops, stop), append(errs, err)
	}
	// Files are watched together: what is written to several at a time is read at
	// a time.
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
	if len(files) > 0 {
		add(watchFiles(names, func(c change) bool { return follow(files, c) }))
	}
	if l.links {
		add(watchInterfaces(whole(others...)))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}, errors.Join(errs...)
}

// read reads some of the entries, which have changed in this way. It reports false if one
// of them has not settled.
func (l *List) read(entries []*entry, c change) (r Report, settled bool) {
	if c.warning != "" {
		r.Warnings = append(r.Warnings, c.warning)
	}
	at := time.Now()
	settled = true
	for _, e := range entries {
		if e.source != nil && !l.readOne(e, c, at, &r) {
			settled = false
		}
	}
	l.checkLinks(&r)
	return r, settled
}

// readOne reads one source, and reports whether it has settled.
func (l *List) readOne(e *entry, c change, at time.Time, r *Report) (settled bool) {
	var now reading
	now.Reading, now.err = e.source.Read()
	e.err = now.err
	if !e.read && l.mayLack(e, now.err) {
		return true
	}
	if now.Warming {
		now.keep(e.last.Servers)
	}
	if c.replaced || now.err != nil && now.err.Error() == e.problem { // it is known
		e.settling = settling{}
	} else if now, settled = e.settling.add(now, e.last.Servers, at); !settled {
		return false
	}
	switch recovered := e.problem != "" || !e.read; {
	case now.err != nil && now.err.Error() != e.problem:
		e.problem = now.err.Error()
		r.Problems = append(r.Problems, now.err)
	case now.err == nil && (recovered || !bytes.Equal(now.Text, e.last.Text)):
		r.Reloaded = append(r.Reloaded, e.source.String())
		if recovered || !slices.Equal(now.Warnings, e.last.Warnings) {
			r.Warnings = append(r.Warnings, now.Warnings...)
		}
		e.last, e.read, e.problem = now.Reading, true, ""
	}
	return true
}

// mayLack reports whether it is no problem that a source is missing: one of all that the
// system may have, or beside these the default file, where users may add to them.
func (l *List) mayLack(e *entry, err error) bool {
	return e.system && isAbsent(err) || l.links && e.source == File(DefaultFile()) && errors.Is(err, fs.ErrNotExist)
}

// checkLinks reports once that the system has nothing that knows its resolvers.
func (l *List) checkLinks(r *Report) {
	nothingKnown := l.links && !slices.ContainsFunc(l.entries, func(e *entry) bool { return e.system && (e.read || e.problem != "") })
	if nothingKnown && !l.nothingKnown {
		r.Problems = append(r.Problems, fmt.Errorf("%s: nothing on this system knows its resolvers; looked for %s; name a file or addresses as well, as in 'dnsmus %[1]s %[3]s'", Links, systemKnows, DefaultFile()))
	}
	l.nothingKnown = nothingKnown
}
