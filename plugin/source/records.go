package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// recordDirs returns where openresolv (since and before its version 3.13) and resolvconf
// of Debian keep a file like resolv.conf for each interface.
func recordDirs() (dirs []string) {
	run := "/run"
	if runtime.GOOS != "linux" {
		run = "/var/run"
	}
	for _, dir := range []string{"keys", "interfaces", "interface"} {
		dirs = append(dirs, run+"/resolvconf/"+dir)
	}
	return dirs
}

// records is a [Source] of what programs told resolvconf, whichever it is, in these
// directories. All records count, also those that resolvconf does not use, as because of -x.
type records struct {
	dirs    []string
	present func() (interfaces, error)
}

// String implements [Source].
func (r *records) String() string { return "resolvconf" }

// files implements inFiles.
func (r *records) files() (files []string) {
	for _, dir := range r.dirs {
		files = append(files, filepath.Join(dir, anything))
	}
	return files
}

// Read implements [Source].
func (r *records) Read() (Reading, error) {
	var servers []server.Server
	var skipped []Skipped
	var warnings []string
	var modified time.Time
	present, err := r.present()
	if err != nil {
		return Reading{}, err
	}
	there := false
	seen := make(map[string]bool) // directories by their real names, for one may be a link to another
	for _, dir := range r.dirs {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		inside, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Reading{}, fmt.Errorf("cannot read the records of resolvconf: %w", err)
		}
		there = true
		for _, f := range inside {
			if strings.HasPrefix(f.Name(), ".") {
				continue
			}
			file := filepath.Join(dir, f.Name())
			text, at, err := readFile(file)
			if at.After(modified) {
				modified = at
			}
			switch {
			case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE): // which says nothing about the record
				return Reading{}, fmt.Errorf("cannot read the records of resolvconf: %w", err)
			case err != nil:
				skipped = append(skipped, Skipped{file, err.Error()})
				continue
			}
			named, found := record(f.Name(), text, present)
			servers = append(servers, named...)
			for _, w := range found {
				warnings = append(warnings, fmt.Sprintf("%s:%d: %s", printable.Text(file), w.Line, w.Text))
			}
		}
	}
	if !there {
		return Reading{}, absent{fmt.Errorf("no directory %s", strings.Join(r.dirs, " or "))}
	}
	reading := collect(servers, skipped, present)
	reading.Warnings, reading.Modified = warnings, modified
	return reading, nil
}

// record returns the servers in a record of that name, each with its interface and the
// domains that the record searches.
func record(name string, text []byte, present interfaces) (servers []server.Server, warnings []Warning) {
	text = decode(text)
	servers, warnings, err := Parse(bytes.NewReader(text))
	if err != nil {
		return nil, []Warning{{1, err.Error()}}
	}
	link, searched := linkOf(name, present), searches(string(text))
	for i := range servers {
		if servers[i].Link == "" {
			servers[i].Link = link
		}
		servers[i].Domains = searched
	}
	return servers, warnings
}

// linkOf returns the interface that a record is about. The record's name is that of the
// interface, perhaps with a dot and more after it; interfaces may have dots themselves. Or
// it ends with the interface, as tun.wg0 of wg-quick(8), to be sorted by resolvconf. The
// result is empty if neither is so, as with NetworkManager's one record for all interfaces.
func linkOf(record string, present interfaces) string {
	var ends []string
	for i, c := range record {
		if c == '.' {
			ends = append(ends, record[i+1:])
		}
	}
	begins := []string{record}
	for _, end := range slices.Backward(ends) {
		begins = append(begins, record[:len(record)-len(end)-1])
	}
	for _, name := range append(begins, ends...) {
		if _, ok := present.name(name); ok && !digits(name) {
			return name
		}
	}
	return ""
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// searches returns the domains after the keywords search and domain in a resolv.conf(5).
func searches(text string) (all []string) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) > 1 && (words[0] == "search" || words[0] == "domain") {
			all = union(all, domains(words[1:]...))
		}
	}
	return all
}
