package source

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newFileEvents returns the system's own.
func newFileEvents() (fileEvents, error) { return newInotify() }

func newInotify() (*inotify, error) {
	w, err := openInotify()
	if err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// openInotify returns one that reads no events yet.
func openInotify() (*inotify, error) {
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	w := &inotify{file: os.NewFile(uintptr(fd), "inotify"), out: make(chan fileEvent), done: make(chan struct{}),
		watches: make(map[int]*inode), ways: make(map[string]way), moved: make(map[string]bool)}
	w.end = sync.OnceFunc(func() {
		close(w.done)
		w.file.Close()
	})
	if w.raw, err = w.file.SyscallConn(); err != nil {
		w.end()
		return nil, err
	}
	return w, nil
}

// events implements [fileEvents].
func (w *inotify) events() <-chan fileEvent { return w.out }

// close implements [fileEvents].
func (w *inotify) close() { w.end() }

// follow implements [fileEvents].
func (w *inotify) follow(files []string) (found []fileEvent, late string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, n := range w.watches {
		n.needs, n.file, n.names = 0, false, nil
	}
	for _, file := range files {
		now, err := w.followOne(file)
		if err != nil {
			late = err.Error()
		}
		before, known := w.ways[file]
		w.ways[file] = now
		if known && now.whole {
			found = append(found, w.since(before, now)...)
		}
	}
	clear(w.moved)
	for number, n := range w.watches {
		switch {
		case n.needs == 0:
			w.remove(number)
		case n.needs != n.mask: // the way no longer ends there
			again, err := w.add(n.path, n.needs)
			if err == nil && again == number {
				n.mask = n.needs
			} else if err == nil && w.watches[again] == nil { // something else is there just now, which makes an event
				w.remove(again)
			}
		}
	}
	return found, late
}

// run hands on what matters.
func (w *inotify) run() {
	defer close(w.out)
	var buf [1 << 14]byte
	for {
		n, err := w.file.Read(buf[:])
		if err != nil {
			return
		}
		for _, e := range w.of(buf[:n]) {
			select {
			case w.out <- e:
			case <-w.done:
				return
			}
		}
	}
}

// of returns what the kernel's events say of the files.
func (w *inotify) of(raw []byte) (all []fileEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(raw) >= unix.SizeofInotifyEvent {
		head := (*unix.InotifyEvent)(unsafe.Pointer(&raw[0]))
		size := unix.SizeofInotifyEvent + int(head.Len)
		name, _, _ := bytes.Cut(raw[unix.SizeofInotifyEvent:size], []byte{0})
		raw = raw[size:]
		if e, matters := w.one(int(head.Wd), head.Mask, string(name)); matters {
			all = append(all, e)
		}
	}
	return all
}

// one returns what happened to an inode or, if there is a name, to that in a directory.
func (w *inotify) one(number int, mask uint32, name string) (e fileEvent, matters bool) {
	if mask&unix.IN_Q_OVERFLOW != 0 {
		return fileEvent{lost: true}, true
	}
	n := w.watches[number]
	if n == nil { // it was on a way, but is no longer
		return e, false
	}
	if mask&unix.IN_IGNORED != 0 { // the inode is gone, or its file system
		delete(w.watches, number)
		return e, false // the event before this said so
	}
	if name == "" {
		return fileEvent{path: n.path, written: n.file && mask&unix.IN_MODIFY != 0}, true
	}
	e.path = filepath.Join(n.path, name)
	if n.names[anything] {
		e.replaced = mask&(unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE|unix.IN_MOVED_FROM) != 0
		e.written = mask&unix.IN_MODIFY != 0
		return e, true
	}
	if mask&unix.IN_MOVED_TO != 0 && n.names[name] {
		e.replaced, w.moved[e.path] = true, true
	}
	return e, n.names[name]
}
