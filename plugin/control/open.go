package control

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

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
		Path: path, file: file, watching: watching{hooks: hooks, path: path}, users: 1, memories: make(map[string]*Memory),
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
