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
	entries  []*entry
	links    bool  // all that the system knows is in it
	turn     *turn // whose change is being told; nil: Read was called for itself
	late     string
	linkless bool // it was told that the system knows no source at all
}

// entry is one server, or a source and what it said when it was last of use.
type entry struct {
	source  Source // nil: a server
	system  bool   // the source is one of those that the system may have
	last    Reading
	read    bool      // last is what source said
	told    time.Time // when that was reported
	err     error     // of the last Read
	problem string    // that the source has now and that was reported; empty: none
	doubt   doubt
}

// turn is one call of changed by a watch.
type turn struct {
	sources []Source // that may have changed
	glance
	again time.Duration // set by Read: how soon the watch has to call again; 0 leaves it to the watch
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

// Servers returns all servers that are named, as of the last Read: each once, and one
// that is named with its link not without.
func (l *List) Servers() []server.Server {
	var all []server.Server
	for _, e := range l.entries {
		all = append(all, e.last.Servers...)
	}
	return merge(all)
}

// Read reads the sources again: all of them or, when it is called by what Watch
// calls, those that may have changed. One that is of no use changes nothing: what it
// said before stays. So it does while a file that is followed may be half written;
// see [doubt].
func (l *List) Read() Report {
	var r Report
	t := l.turn
	if t == nil {
		t = &turn{sources: l.Sources(), glance: glance{whole: true}}
	}
	late := ""
	if t.late != nil {
		late = t.late.Error()
	}
	if late != l.late && late != "" {
		r.Warnings = append(r.Warnings, late)
	}
	l.late = late
	at := time.Now()
	for _, e := range l.entries {
		if e.source == nil || !slices.Contains(t.sources, e.source) {
			continue
		}
		if again := l.reread(e, &r, t.glance, at); again > 0 && (t.again == 0 || again < t.again) {
			t.again = again
		}
	}
	l.checkLinks(&r)
	return r
}

// mayLack reports whether it is no problem that a source is not there: one of all that the
// system may have, and beside those the default file, where users may add to them.
func (l *List) mayLack(e *entry, err error) bool {
	return e.system && isAbsent(err) || l.links && e.source == File(DefaultFile()) && errors.Is(err, fs.ErrNotExist)
}

// checkLinks tells once that the system has nothing that knows its resolvers.
func (l *List) checkLinks(r *Report) {
	none := l.links && !slices.ContainsFunc(l.entries, func(e *entry) bool { return e.system && (e.read || e.problem != "") })
	if none && !l.linkless {
		r.Problems = append(r.Problems, fmt.Errorf("%s: this system has nothing that knows its resolvers, such as %s; name a file or addresses too, as in 'dnsmus %[1]s %[3]s'", Links, systemKnows, DefaultFile()))
	}
	l.linkless = none
}

// reread returns how soon the source has to be read again; 0 leaves that to others.
func (l *List) reread(e *entry, r *Report, g glance, at time.Time) (again time.Duration) {
	var now said
	now.Reading, now.err = e.source.Read()
	e.err = now.err
	if !e.read && l.mayLack(e, now.err) {
		return 0
	}
	if now.Warming {
		now.keep(e.last.Servers)
	}
	if now.err != nil && now.err.Error() == e.problem { // it is known
		e.doubt = doubt{}
		return 0
	}
	if g.whole {
		e.doubt = doubt{}
	} else if now, again = e.doubt.weigh(now, e.last.Servers, g.restless, at); again > 0 {
		return again
	}
	if now.err != nil {
		e.problem = now.err.Error()
		r.Problems = append(r.Problems, now.err)
		return 0
	}
	if e.problem == "" && e.read && bytes.Equal(now.Text, e.last.Text) {
		return 0
	}
	if g.restless && at.Sub(e.told) < time.Second && includes(e.last.Servers, now.Servers) && includes(now.Servers, e.last.Servers) {
		return 0 // nor would anybody want to hear of each rewrite
	}
	e.last, e.read, e.told, e.problem = now.Reading, true, at, ""
	r.Reloaded = append(r.Reloaded, e.source.String())
	r.Warnings = append(r.Warnings, now.Warnings...)
	return 0
}

// Watch watches all sources as one, by the rules of [Source]. Unlike the other
// methods it may be called in a goroutine of its own, with changed the only other
// user of the list.
func (l *List) Watch(changed func()) (stop func(), err error) {
	var one sync.Mutex
	inTurn := func(t turn) (again time.Duration) {
		one.Lock()
		defer one.Unlock()
		l.turn = &t
		defer func() { l.turn = nil }()
		changed()
		return t.again
	}
	var stops []func()
	var errs []error
	watched := func(stop func(), err error) {
		stops, errs = append(stops, stop), append(errs, err)
	}
	// Files are watched together: what is written to several at a time is read at
	// a time.
	var files []string
	var fileSources, others []Source
	for _, s := range l.Sources() {
		if f, ok := s.(inFiles); ok {
			files, fileSources = append(files, f.files()...), append(fileSources, s)
		} else {
			others = append(others, s)
			watched(s.Watch(func() { inTurn(turn{sources: []Source{s}, glance: glance{whole: true}}) }))
		}
	}
	if len(files) > 0 {
		watched(watchFiles(files, func(g glance) time.Duration { return inTurn(turn{sources: fileSources, glance: g}) }))
	}
	if l.links {
		watched(watchLinks(func() { inTurn(turn{sources: others, glance: glance{whole: true}}) }))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}, errors.Join(errs...)
}
