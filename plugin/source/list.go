package source

import (
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

// Unusable says which sources were reported as unusable and are not usable yet, and why.
func (l *List) Unusable() (all []string) {
	for _, e := range l.entries {
		switch {
		case e.problem == "":
		case len(e.last.Servers) == 0:
			all = append(all, e.problem)
		default:
			all = append(all, e.problem+"; its previous upstreams are kept")
		}
	}
	return all
}
