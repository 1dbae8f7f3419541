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
)

const (
	maxLinks = 40  // symbolic links in a path, as in Linux
	anything = "*" // in place of the last name of a path: all that is in the directory
)

// walk follows the way to a file as it is now: it calls see for each name on the way, with
// the directory in which the name is looked up, whose own path has no links. See returns what
// the name stands for. So that nothing can change unnoticed in between, it has to watch
// before it looks. The walk stops where see returns an error, or what is no directory.
func walk(file string, see func(dir, name string) (fs.FileMode, error)) {
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
		mode, err := see(dir, name)
		path := filepath.Join(dir, name)
		switch {
		case err != nil:
			return
		case mode.IsDir():
			dir = path
			continue
		}
		target, err := os.Readlink(path) // on Windows also of what is no symbolic link by its mode
		if err != nil {
			return
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
