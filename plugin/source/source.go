// Package source tells where upstreams come from. Each kind of [Source] is a file of
// this package; a [List] merges several.
package source

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// DefaultFile returns the name of the file that names the upstreams where nothing
// else does.
func DefaultFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramData"), "dnsmus", "resolv.conf")
	}
	return "/etc/resolv.conf.dnsmus"
}

// Source names servers, and may name others later: it is read from files, or a [Watcher]
// as well.
type Source interface {
	// String names the source for people, as in the log.
	String() string

	// Read returns what the source says now. The error tells the user why it is
	// unusable, and what to do.
	Read() (Reading, error)
}

// Watcher is a source that notices by itself when it has something else to say.
type Watcher interface {
	Source

	// Watch calls changed once at the beginning, soon after the source may have
	// something else to say, and now and then without reason, one call at a time,
	// until stop is called. That may be done more than once, and does not wait for
	// a call under way. The error says why changes are noticed late; stop is
	// to be called all the same.
	Watch(changed func()) (stop func(), err error)
}

// inFiles is a source that says what some files say, which are watched together with
// those of others; see [watchFiles].
type inFiles interface {
	Source
	files() []string
}

// Reading is what a source says at one moment.
type Reading struct {
	Servers  []server.Server
	Warnings []string // about what of it is unusable, each with its place
	Text     []byte   // what it was read from: equal texts say the same
	Open     bool     // its last line has no end, and may go on
	Warming  bool     // who says it has just come, and may not know everything yet
	Skipped  []Skipped
}

// Skipped is something that a source names and that nobody is to ask.
type Skipped struct {
	What string // the server, or the word that is none
	Why  string // in a few words, as "loopback"
}

// keep adds those servers that are missing.
func (r *Reading) keep(servers []server.Server) {
	r.Servers = slices.Clip(r.Servers)
	for _, s := range servers {
		if !slices.ContainsFunc(r.Servers, s.Equal) {
			r.Servers = append(r.Servers, s)
		}
	}
	r.Text = append(slices.Clip(r.Text), "warming"...)
}
