package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
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
		return conn.Control(func(fd uintptr) { restrict(fd, mode) }) // before there is a file that others may connect to
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
