package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// What of a name on the way to a file is watched, by its inode (inotify(7)). What others do
// beside the way, such as to write a log, makes no event then. It can be that something is
// moved into one of the directories on the way.
const (
	asStep      = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ATTRIB | unix.IN_MOVED_TO
	asEnd       = unix.IN_CREATE | unix.IN_ATTRIB // of the directory in which the way ends for now
	asFile      = unix.IN_MODIFY | unix.IN_CLOSE_WRITE
	asDirectory = unix.IN_CREATE | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_MODIFY | unix.IN_CLOSE_WRITE // of files that all matter
)

// inotify is [fileEvents] of what is on the ways to the files, and of that alone. What it knows
// is by the kernel's number for an inode that is watched.
type inotify struct {
	file *os.File
	raw  syscall.RawConn
	out  chan fileEvent
	done chan struct{}
	end  func()

	mu      sync.Mutex
	watches map[int]*inode
	ways    map[string]way  // by the file's name
	moved   map[string]bool // paths that something was moved to since the ways were last followed
}

// inode is one that is on a way.
type inode struct {
	path  string          // by which it was last found
	mask  uint32          // what is watched
	needs uint32          // what has to be
	file  bool            // a way leads to it
	names map[string]bool // that are looked up in it; of others nothing matters, unless [anything] is among them
}

// way is what was found on the way to a file.
type way struct {
	steps []step
	whole bool // it led to the file
}

type step struct {
	number int
	path   string
	link   bool
}

// followOne watches what is on the way to a file. The error says that something cannot be
// watched.
func (w *inotify) followOne(file string) (found way, late error) {
	watch := func(path string, mask uint32) (number int, err error) {
		number, err = w.need(path, mask)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, fs.ErrPermission) {
			late = noEvents(" for "+path, err)
		}
		return number, err
	}
	walk(file, func(dir, name string) (fs.FileMode, error) {
		in, err := watch(dir, unix.IN_MOVED_TO)
		if err != nil {
			if errors.Is(err, fs.ErrPermission) { // it can be passed, but not watched
				late = noEvents(" for "+dir, err)
			} else if errors.Is(err, fs.ErrNotExist) {
				return 0, err // it is gone by now, which makes an event
			}
		} else if n := w.watches[in]; n.names == nil {
			n.names = map[string]bool{name: true}
		} else {
			n.names[name] = true
		}
		if name == anything {
			_, _ = watch(dir, asDirectory)
			return 0, fs.ErrNotExist // the way ends
		}
		path := filepath.Join(dir, name)
		number, err := watch(path, asStep)
		if err != nil { // whatever lets it be found makes an event in the directory
			_, _ = watch(dir, asEnd)
			number, err = watch(path, asStep)
		}
		info, missing := os.Lstat(path)
		switch {
		case missing != nil:
			_, _ = watch(dir, asEnd)
			return 0, missing
		case err == nil:
			found.steps = append(found.steps, step{number, path, info.Mode()&fs.ModeSymlink != 0})
		}
		if info.Mode().IsRegular() && err == nil {
			found.whole = true
			w.watches[number].file = true
			_, _ = watch(path, asFile) // what an error shows has just happened to the file, and made an event, or is in late
		}
		return info.Mode(), nil
	})
	return found, late
}

// since returns what has happened to a file, if another one is where that was, or none was.
// Nobody writes one that was moved there with all that is in it, or that a new symbolic link
// leads to: these are made by those who are done with writing. Any other may just be being
// written.
func (w *inotify) since(before, now way) []fileEvent {
	for i, s := range now.steps {
		if i >= len(before.steps) || s.number != before.steps[i].number {
			whole := s.link || w.moved[s.path]
			return []fileEvent{{path: now.steps[len(now.steps)-1].path, replaced: whole, written: !whole}}
		}
	}
	return nil
}

// need has an inode watched, at least for what is in mask. It returns its number.
func (w *inotify) need(path string, mask uint32) (number int, err error) {
	number, err = w.add(path, mask|unix.IN_MASK_ADD)
	if err != nil {
		return 0, err
	}
	n := w.watches[number]
	if n == nil {
		n = new(inode)
		w.watches[number] = n
	}
	n.path, n.mask, n.needs = path, n.mask|mask, n.needs|mask
	return number, nil
}

func (w *inotify) add(path string, mask uint32) (number int, err error) {
	closed := w.raw.Control(func(fd uintptr) {
		number, err = unix.InotifyAddWatch(int(fd), path, mask|unix.IN_DONT_FOLLOW)
	})
	return number, errors.Join(closed, err)
}

func (w *inotify) remove(number int) {
	delete(w.watches, number)
	_ = w.raw.Control(func(fd uintptr) {
		_, _ = unix.InotifyRmWatch(int(fd), uint32(number)) // an error says that it is gone
	})
}
