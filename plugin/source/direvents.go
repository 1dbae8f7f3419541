package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// dirEvents are [fileEvents] of whole directories: of all that are on the ways to the files,
// through symbolic links. Whatever is written in one of them wakes it.
type dirEvents struct {
	system *fsnotify.Watcher
	out    chan fileEvent
	done   chan struct{}
	end    func()

	mu       sync.Mutex
	dirs     map[string]bool // that are watched
	concerns map[string]bool // paths whose events matter
}

func newDirEvents() (*dirEvents, error) {
	system, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	d := &dirEvents{system: system, out: make(chan fileEvent), done: make(chan struct{})}
	d.end = sync.OnceFunc(func() {
		close(d.done)
		system.Close()
	})
	go d.run()
	return d, nil
}

// events implements [fileEvents].
func (d *dirEvents) events() <-chan fileEvent { return d.out }

// close implements [fileEvents].
func (d *dirEvents) close() { d.end() }

// follow implements [fileEvents]. A directory is watched again even if it was before: it may
// be another one with the same name.
func (d *dirEvents) follow(files []string) (found []fileEvent, late string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.dirs
	d.dirs, d.concerns = make(map[string]bool), make(map[string]bool)
	for _, file := range files {
		walk(file, func(dir, name string) (fs.FileMode, error) {
			if !d.dirs[dir] {
				d.dirs[dir] = true
				if err := d.system.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
					late = noEvents(" for "+dir, err).Error()
				}
			}
			path := filepath.Join(dir, name)
			d.concerns[path] = true
			info, err := os.Lstat(path)
			if err != nil {
				return 0, err
			}
			return info.Mode(), nil
		})
	}
	for dir := range before {
		if !d.dirs[dir] {
			_ = d.system.Remove(dir) // an error says that it is gone
		}
	}
	return nil, late
}

// run hands on what matters.
func (d *dirEvents) run() {
	defer close(d.out)
	for {
		var e fileEvent
		select {
		case raw, ok := <-d.system.Events:
			if !ok {
				return
			}
			if e, ok = d.of(raw); !ok {
				continue
			}
		case _, ok := <-d.system.Errors:
			if !ok {
				return
			}
			e.lost = true
		}
		select {
		case d.out <- e:
		case <-d.done:
			return
		}
	}
}

// of returns what an event says of the files, if it is about them.
func (d *dirEvents) of(raw fsnotify.Event) (e fileEvent, matters bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	among := d.concerns[filepath.Join(filepath.Dir(raw.Name), anything)]
	return fileEvent{
		path:     raw.Name,
		replaced: raw.Has(fsnotify.Create) || among && raw.Has(fsnotify.Remove),
		written:  raw.Has(fsnotify.Write),
	}, among || d.concerns[raw.Name]
}
