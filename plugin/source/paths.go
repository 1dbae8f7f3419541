package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

const (
	maxLinks = 40  // symbolic links in a path, as in Linux
	anything = "*" // in place of the last name of a path: all that is in the directory
)

// paths are the ways to some files, as they are now. A file is known by its path, so
// all directories on the way to it are watched, through symbolic links: then it does not
// matter how somebody replaces the file, a link, or a directory.
type paths struct {
	dirs     map[string]bool // directories on the way
	concerns map[string]bool // paths whose events matter
	late     string          // why one of dirs cannot be watched, so that changes are noticed late; empty: all are
}

// find finds out which directories lead to the files now. It watches these, and no longer
// those that did before and do not now.
func find(files []string, before paths, events *fsnotify.Watcher) paths {
	now := paths{dirs: make(map[string]bool), concerns: make(map[string]bool)}
	for _, file := range files {
		now.follow(file, events)
	}
	for dir := range before.dirs {
		if !now.dirs[dir] {
			_ = events.Remove(dir) // an error says that it is gone
		}
	}
	return now
}

// follow watches all directories on the way to a file, and notes the names that
// are looked up in them. It stops where the way ends. Each is watched before it is
// looked into, so that nothing can change unnoticed in between.
func (p *paths) follow(file string, events *fsnotify.Watcher) {
	if !filepath.IsAbs(file) {
		dir, err := os.Getwd()
		if err != nil {
			return
		}
		file = dir + string(filepath.Separator) + file
	}
	root := filepath.VolumeName(file) + string(filepath.Separator)
	dir, rest := root, split(file[len(root):])
	for links := 0; len(rest) > 0 && links <= maxLinks; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." { // of a link's target; dir is without links
			dir = filepath.Dir(dir)
			continue
		}
		if !p.dirs[dir] {
			p.dirs[dir] = true
			// Even if it was watched before: it may be another one with the same name.
			if err := events.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				p.late = noEvents(" for "+dir, err).Error()
			}
		}
		path := filepath.Join(dir, name)
		p.concerns[path] = true
		target, err := os.Readlink(path)
		if err != nil { // no link, or nothing at all
			dir = path
			if info, err := os.Stat(path); err != nil || !info.IsDir() {
				return
			}
			continue
		}
		links++
		if filepath.IsAbs(target) {
			dir = root
		}
		rest = append(split(target), rest...)
	}
}

// noEvents returns the error that changes are noticed late: why, and what to do.
func noEvents(where string, err error) error {
	what, remedy := "file events", ""
	if runtime.GOOS == "linux" {
		what = "inotify"
	}
	switch {
	case errors.Is(err, syscall.EMFILE):
		remedy = " (raise the limit of open files or fs.inotify.max_user_instances)"
	case errors.Is(err, syscall.ENOSPC):
		remedy = " (raise fs.inotify.max_user_watches)"
	}
	return fmt.Errorf("%s unavailable%s: %w%s; polling every second", what, where, err, remedy)
}

// split returns the names in a path. Those before ".." stay, for one may be a link.
func split(path string) []string {
	names := strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
	return slices.DeleteFunc(names, func(name string) bool { return name == "." })
}
