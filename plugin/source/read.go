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

// keep adds those of the servers that are missing. One that was encrypted stays so.
func (r *Reading) keep(servers []server.Server) {
	r.Servers = slices.Clone(r.Servers)
	for _, s := range servers {
		r.Servers = slices.DeleteFunc(r.Servers, func(now server.Server) bool { return isPlainTwin(now, s) })
		if !slices.ContainsFunc(r.Servers, s.Equal) {
			r.Servers = append(r.Servers, s)
		}
	}
	r.Text = append(slices.Clip(r.Text), "warming"...)
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

// checkPlain warns once of each server that is asked in plain text because the user wants
// it so, while the system asks it encrypted.
func (l *List) checkPlain(r *Report) {
	warned := make(map[server.ID]bool)
	asked := l.Servers()
	for _, e := range l.entries {
		if e.system {
			continue
		}
		for _, s := range e.last.Servers {
			over, from, found := l.encrypted(e, s)
			if !found || warned[s.ID] || !includes(asked, []server.Server{s}) {
				continue
			}
			warned[s.ID] = true
			if !l.warnedPlain[s.ID] {
				where := ""
				if e.source != nil {
					where = " in " + e.source.String()
				}
				r.Warnings = append(r.Warnings, fmt.Sprintf("upstream %s%s is asked in plain text, while %s has it as %s; remove it to have it asked encrypted only", s, where, from.source, over))
			}
		}
	}
	l.warnedPlain = warned
}

// checkMany reports once that more servers are named than are asked.
func (l *List) checkMany(r *Report) {
	tooMany := len(l.named()) > MaxServers || slices.ContainsFunc(l.entries, func(e *entry) bool { return e.cut })
	if tooMany && !l.tooMany {
		r.Warnings = append(r.Warnings, fmt.Sprintf("more than %d upstreams are named; the first %[1]d are asked, and no others", MaxServers))
	}
	l.tooMany = tooMany
}
