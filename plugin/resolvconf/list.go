package resolvconf

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// maxFile is the size in bytes of the largest file that is read.
const maxFile = 1 << 20

// List is the servers that addresses and files name together, in order and
// without duplicates. Its zero value names none. It must not be used by two
// goroutines at a time.
type List struct {
	sources []*source
}

// source is a server, or a file and what it said when it was last of use.
type source struct {
	file    string // empty: a server
	servers []server.Server
	data    []byte // what servers was read from
	problem string // that the file has now; empty: none
}

// Report is what [List.Read] found.
type Report struct {
	Reloaded []string // files that say something new
	Warnings []string // about lines of these, as "file:3: ..."
	Problems []error  // why a file is of no use that was, or for another reason; its last servers stay
}

// AddServer adds a server.
func (l *List) AddServer(s server.Server) {
	l.sources = append(l.sources, &source{servers: []server.Server{s}})
}

// AddFile adds the servers of a resolv.conf. It is first read by Read.
func (l *List) AddFile(name string) {
	l.sources = append(l.sources, &source{file: name})
}

// Files returns the names of all files.
func (l *List) Files() []string {
	var names []string
	for _, s := range l.sources {
		if s.file != "" {
			names = append(names, s.file)
		}
	}
	return names
}

// Servers returns all servers that are named, as of the last Read.
func (l *List) Servers() []server.Server {
	var all []server.Server
	seen := make(map[server.ID]bool)
	for _, source := range l.sources {
		for _, s := range source.servers {
			if !seen[s.ID] {
				seen[s.ID] = true
				all = append(all, s)
			}
		}
	}
	return all
}

// Read reads all files again. A file that cannot be read or has no nameserver,
// as when it is being written just now, changes nothing: what it said before
// stays.
func (l *List) Read() Report {
	var r Report
	for _, s := range l.sources {
		if s.file != "" {
			s.read(&r)
		}
	}
	return r
}

func (s *source) read(r *Report) {
	data, err := readFile(s.file)
	if err == nil && s.problem == "" && s.data != nil && bytes.Equal(data, s.data) {
		return
	}
	var servers []server.Server
	var warnings []Warning
	if err == nil {
		servers, warnings, err = Parse(bytes.NewReader(data))
	}
	if err == nil && len(servers) == 0 {
		err = noServers(s.file, warnings)
	}
	if err != nil {
		if s.problem != err.Error() {
			s.problem = err.Error()
			r.Problems = append(r.Problems, err)
		}
		return
	}
	s.servers, s.data, s.problem = servers, data, ""
	r.Reloaded = append(r.Reloaded, s.file)
	for _, w := range warnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s:%d: %s", s.file, w.Line, w.Text))
	}
}

func noServers(name string, warnings []Warning) error {
	detail := ""
	if len(warnings) > 0 {
		detail = " (" + warnings[0].String() + ")"
	}
	return fmt.Errorf("%s has no usable nameserver line%s; add one such as 'nameserver 192.0.2.1'", name, detail)
}

// readFile returns what is in a regular file. Opening anything else, such as a
// pipe, could wait for ever.
func readFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("cannot read upstreams: %w; create it with lines such as 'nameserver 192.0.2.1'", err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read upstreams: %s is not a regular file", name)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read upstreams: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("cannot read upstreams: %s is larger than %d bytes; is it a resolv.conf?", name, maxFile)
	}
	return data, nil
}
