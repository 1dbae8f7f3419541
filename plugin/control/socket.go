// Package control serves the control socket: it tells who may connect what a running dnsmus knows
// and remembers, over HTTP and as JSON, in the types of package api. What it tells of is in
// [Block]s, one for each server block. Nobody is let in but by the rights of the file, and no port
// is opened (R25).
package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// Usable reports whether there can be a socket at a path: its directory is there or can be made,
// and is fit for it.
func Usable(path string) bool { return makePlace(filepath.Dir(path)) == nil }

// Check returns the error of [Open] for a path, as far as it is known without making anything, and
// whoever the server runs as.
func Check(path string) error {
	path = filepath.Clean(path)
	err := checkPath(path)
	if err == nil {
		err = findPlace(filepath.Dir(path))
	}
	if info, missing := os.Lstat(path); err == nil && missing == nil && !isSocket(info) {
		err = errNoSocket
	}
	if err != nil {
		return fmt.Errorf("control socket %s: %w", path, err)
	}
	return nil
}

// mode is that of the socket's file: its user and its group may connect.
const mode = 0o660

// maxPath is how long the path of a socket may be, in bytes, on all systems.
const maxPath = 103

// Hooks are told what happens at a socket. All of them must be set.
type Hooks struct {
	Logf     func(format string, args ...any)
	Watchers func(change int) // so many more readers of events; negative: fewer
}

// Socket is a control socket that is open. Its methods may be called from any goroutine.
type Socket struct {
	Path  string
	hooks Hooks

	file     fs.FileInfo // of Path, as it was made
	server   *http.Server
	explains *rate.Limiter
	streams  chan struct{} // has room for as many as there may be
	ending   chan struct{} // closed when it ends
	watching watching
	reaches  reaches

	users int // guarded by sockets.mu

	mu       sync.Mutex
	blocks   []*Block // the last of those of one name is the one in use
	memories map[string]*Memory
}

// sockets are those of this process, by path. Server blocks that name the same one share it, and so
// do a server block and the one that takes its place at a reload.
var sockets = struct {
	sync.Mutex
	open map[string]*Socket
}{open: make(map[string]*Socket)}

// Open returns the socket at a path, and opens it unless it is open in this process. Whoever has it
// must release it. The error says what to do.
func Open(path string, hooks Hooks) (*Socket, error) {
	path = filepath.Clean(path)
	sockets.Lock()
	defer sockets.Unlock()
	if s := sockets.open[path]; s != nil {
		s.users++
		return s, nil
	}
	l, file, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("control socket %s: %w", path, err)
	}
	s := &Socket{
		Path: path, hooks: hooks, file: file, users: 1, memories: make(map[string]*Memory),
		explains: newLimit(), streams: make(chan struct{}, maxStreams), ending: make(chan struct{}),
	}
	s.server = s.newServer()
	sockets.open[path] = s
	go s.server.Serve(newConns(l))
	return s, nil
}

// newLimit bounds how many names are explained.
func newLimit() *rate.Limiter { return rate.NewLimiter(maxExplains, maxExplains) }

// endWait is how long readers of events have to read the last one.
const endWait = 300 * time.Millisecond

// Release ends a use of the socket, and closes it if that was the last.
func (s *Socket) Release() {
	sockets.Lock()
	s.users--
	last := s.users == 0
	if last {
		delete(sockets.open, s.Path)
	}
	sockets.Unlock()
	if !last {
		return
	}
	close(s.ending)
	if now, err := os.Lstat(s.Path); err == nil && os.SameFile(now, s.file) { // else it is that of the next process
		os.Remove(s.Path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), endWait)
	defer cancel()
	if s.server.Shutdown(ctx) != nil {
		s.server.Close()
	}
}

// listen makes the socket's file, in the place of one on which nobody answers.
func listen(path string) (net.Listener, fs.FileInfo, error) {
	if err := checkPath(path); err != nil {
		return nil, nil, err
	}
	if err := makePlace(filepath.Dir(path)); err != nil {
		return nil, nil, err
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, nil, err
	case !isSocket(info):
		return nil, nil, errNoSocket
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, nil, errors.New("another program answers there; name another path for one of the two")
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
	}
	config := net.ListenConfig{Control: func(_, _ string, conn syscall.RawConn) error {
		return conn.Control(func(fd uintptr) { restrict(fd) }) // before there is a file that others may connect to
	}}
	l, err := config.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, nil, err
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // whatever is there by then
	}
	file, err := os.Lstat(path)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		l.Close()
		os.Remove(path)
		return nil, nil, err
	}
	return l, file, nil
}

// checkPath checks a path as such.
func checkPath(path string) error {
	if !filepath.IsAbs(path) {
		return errors.New("the path is not absolute; write one that begins with /")
	}
	if len(path) > maxPath {
		return fmt.Errorf("the path has %d bytes, and systems take %d; name a shorter one", len(path), maxPath)
	}
	return nil
}

var errNoSocket = errors.New("there is a file of that name which is no socket; remove it, or name another path")

func isSocket(info fs.FileInfo) bool {
	return info.Mode()&fs.ModeSocket != 0 || looksLikeSocket(info)
}
