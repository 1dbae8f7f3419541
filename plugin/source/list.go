package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// MaxServers is how many servers are asked at most: the first that are named. All are sent each
// query, and what is known of a zone has room for so many.
const MaxServers = 64

// List is the servers that are named one by one and by sources, in order and
// without duplicates. The zero value is an empty list. It must not be used by two
// goroutines at a time.
type List struct {
	entries      []*entry
	links        bool // AddLinks was called
	nothingKnown bool // it was reported that nothing on this system knows its resolvers
	tooMany      bool // it was reported that some servers are not asked
	warnedPlain  map[server.ID]bool
}

// entry is one server, or a source and what it named when it was last usable.
type entry struct {
	source   Source // nil: a server
	system   bool   // the source was added by AddLinks
	last     Reading
	cut      bool   // it named more than MaxServers when it was last read
	read     bool   // last was read from source
	err      error  // of the last reading
	problem  string // why source is unusable now, as reported; empty: it is usable
	settling settling
}

// Report is what was found when sources were read.
type Report struct {
	Reloaded  []string // sources that have changed
	Recovered []string // those of them that were reported as unusable
	Warnings  []string // about what they say, as "file:3: ...", or about how they are followed
	Problems  []error  // why sources are unusable; their last servers stay
	Complete  bool     // each source was read since it is watched
}

// AddServer adds a server.
func (l *List) AddServer(s server.Server) {
	l.entries = append(l.entries, &entry{last: Reading{Servers: []server.Server{s}}})
}

// Add adds a source. It is not read yet.
func (l *List) Add(s Source) { l.entries = append(l.entries, &entry{source: s}) }

// AddLinks adds all resolvers that the system knows, each with its interface: a source for
// each program that may know some. These programs may start and end at any time.
func (l *List) AddLinks() {
	if l.links {
		return
	}
	l.links = true
	for _, s := range systemSources() {
		l.entries = append(l.entries, &entry{source: s, system: true})
	}
}

// MayBeEmpty reports whether the list may be without servers for now, as on a machine that
// has no network yet.
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

// Servers returns the servers that are named, as they were last read, up to [MaxServers]: each
// once, and without its interface only if no entry names it with one. What the system asks
// encrypted is asked in plain text only if the user has written it so.
func (l *List) Servers() []server.Server {
	all := l.named()
	return all[:min(len(all), MaxServers)]
}

// named returns all servers, of each entry the first MaxServers.
func (l *List) named() []server.Server {
	var all []server.Server
	for _, e := range l.entries {
		for _, s := range e.last.Servers {
			all = append(all, l.resolve(e, s))
		}
	}
	return merge(all)
}

// Read reads all sources, and takes them as they are. One that is unusable changes nothing:
// what it named before stays.
func (l *List) Read() Report {
	r, _ := l.read(l.entries, change{replaced: true})
	return r
}

// read reads the sources of some entries, of which c tells how they changed. It returns
// settled false if one may be half written.
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
	l.checkPlain(&r)
	l.checkMany(&r)
	return r, settled
}

// readOne reads the source of one entry.
func (l *List) readOne(e *entry, c change, at time.Time, r *Report) (settled bool) {
	var now reading
	now.Reading, now.err = e.source.Read()
	e.err, e.cut = now.err, len(now.Servers) > MaxServers
	now.Servers = now.Servers[:min(len(now.Servers), MaxServers)]
	if !e.read && l.mayLack(e, now.err) {
		return true
	}
	if now.Warming {
		now.keep(e.last.Servers)
	}
	reported := now.err != nil && now.err.Error() == e.problem
	if c.replaced || reported || c.first && now.rested(at) {
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
		if e.problem != "" {
			r.Recovered = append(r.Recovered, e.source.String())
		}
		if recovered || !slices.Equal(now.Warnings, e.last.Warnings) {
			r.Warnings = append(r.Warnings, now.Warnings...)
		}
		e.last, e.read, e.problem = now.Reading, true, ""
	}
	return true
}

// mayLack reports whether it is no problem that a source is missing: one that the system
// may have or, beside those, the default file.
func (l *List) mayLack(e *entry, err error) bool {
	return e.system && isAbsent(err) || l.links && e.source == File(DefaultFile()) && errors.Is(err, fs.ErrNotExist)
}

// checkLinks reports once that nothing on this system knows its resolvers.
func (l *List) checkLinks(r *Report) {
	nothingKnown := l.links && !slices.ContainsFunc(l.entries, func(e *entry) bool { return e.system && (e.read || e.problem != "") })
	if nothingKnown && !l.nothingKnown {
		r.Problems = append(r.Problems, fmt.Errorf("%s: nothing on this system knows its resolvers; looked for %s; name a file or addresses as well, as in 'dnsmus %[1]s %[3]s'", Links, systemKnows, DefaultFile()))
	}
	l.nothingKnown = nothingKnown
}

// checkMany reports once that more servers are named than are asked.
func (l *List) checkMany(r *Report) {
	tooMany := len(l.named()) > MaxServers || slices.ContainsFunc(l.entries, func(e *entry) bool { return e.cut })
	if tooMany && !l.tooMany {
		r.Warnings = append(r.Warnings, fmt.Sprintf("more than %d upstreams are named; the first %[1]d are asked, and no others", MaxServers))
	}
	l.tooMany = tooMany
}
