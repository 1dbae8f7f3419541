// Package source reads what names the upstreams, such as files or the system, and follows
// it. Each kind of [Source] is a file of this package; a [List] merges several.
package source

import (
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// DefaultFile returns the name of the file that names the upstreams if nothing
// else does. Only administrators can create it.
func DefaultFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("ProgramFiles"), "dnsmus", "resolv.conf")
	}
	return "/etc/resolv.conf.dnsmus"
}

// Source names servers, and may name others later. How that is noticed is up to a second
// interface that it has to implement: [Watcher] or inFiles.
type Source interface {
	// String names the source for people, as in the log.
	String() string

	// Read returns what the source says now. The error tells the user why it is
	// unusable, and what to do.
	Read() (Reading, error)
}

// Watcher is a source that notices itself when it may name others.
type Watcher interface {
	Source

	// Watch calls changed once at the beginning, soon after the source may name
	// others, and now and then without reason, one call at a time, until stop is called. That may be done more than once, and does not wait for
	// a call under way. The error says why changes are noticed late; stop is
	// to be called all the same.
	Watch(changed func()) (stop func(), err error)
}

// inFiles is a source that is read from files. The files of all sources are watched
// together; see [watchFiles].
type inFiles interface {
	Source
	files() []string // whose last names may be [anything]
}

// Reading is what a source names at one moment.
type Reading struct {
	Servers  []server.Server
	Warnings []string  // about unusable lines, as "file:3: ..."
	Text     []byte    // readings with equal texts are equal
	Modified time.Time // of the file, also with an error; zero: unknown
	Open     bool      // the last line has no end: more of it may come
	Warming  bool      // the source is a program that has just started, and may not know everything yet
	Skipped  []Skipped
}

// Skipped is something that a source names and that is not asked.
type Skipped struct {
	What string // the server, or the word that is not one
	Why  string // in a few words, as "loopback"
}
