//go:build unix

package control

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// makePlace makes the directory of a socket, if its parent is there, and checks that nobody else
// can put another file, or another directory on the way, in the socket's place.
func makePlace(dir string) error {
	if err := os.Mkdir(dir, placeMode()); err != nil && !errors.Is(err, fs.ErrExist) {
		return cannotMake(dir, err)
	}
	return onWay(dir, func(at string) error { return checkPlace(at, at == dir) })
}

// findPlace returns the error of makePlace, as far as it is known without making anything, and
// whoever the server runs as.
func findPlace(dir string) error {
	from := dir
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		from = filepath.Dir(dir)
		if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
			return cannotMake(dir, err)
		}
	}
	return onWay(from, func(at string) error {
		info, err := os.Lstat(at)
		if errors.Is(err, fs.ErrPermission) { // the server may look there
			return nil
		}
		if err != nil {
			return err
		}
		return checkMode(at, info, at == dir)
	})
}

func cannotMake(dir string, err error) error {
	return fmt.Errorf("%w; make the directory %s, or name a path in another one", err, dir)
}

// onWay checks a directory, and all that lead there.
func onWay(dir string, check func(dir string) error) error {
	for at := dir; ; at = filepath.Dir(at) {
		if err := check(at); err != nil {
			return err
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// placeMode is the mode of a directory that is made. Root's may be entered by those who may
// connect.
func placeMode() fs.FileMode {
	if os.Geteuid() == 0 {
		return 0o755
	}
	return 0o700
}

// checkPlace checks a directory: the socket's own, or one that leads there.
func checkPlace(dir string, own bool) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if err := checkMode(dir, info, own); err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return fmt.Errorf("who owns %s cannot be found out", dir)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s is owned by user %d, who could put something else in the socket's place; name a path in a directory of root or of the user that dnsmus runs as", dir, stat.Uid)
	}
	return nil
}

// checkMode checks what a directory is, and who may write to it.
func checkMode(dir string, info fs.FileInfo, own bool) error {
	othersWrite := info.Mode().Perm()&0o022 != 0
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		// /var and /tmp of macOS are links of the system.
		if runtime.GOOS == "darwin" && filepath.Dir(dir) == "/" {
			return nil
		}
		return fmt.Errorf("%s is a symbolic link, which is not followed; name the path that it leads to", dir)
	case !info.IsDir():
		return fmt.Errorf("%s is no directory", dir)
	case own && othersWrite:
		return fmt.Errorf("others may write to %s (mode %04o), and could put something else in the socket's place; name a path in a directory that they cannot write to", dir, info.Mode().Perm())
	case othersWrite && info.Mode()&fs.ModeSticky == 0:
		return fmt.Errorf("others may write to %s (mode %04o), and could put something else on the way to the socket; name a path elsewhere", dir, info.Mode().Perm())
	}
	return nil
}

// restrict gives a socket its mode before it has a file, where that is possible; Linux makes the
// file with it, less the umask.
func restrict(fd uintptr, mode uint32) { syscall.Fchmod(int(fd), mode) }

// looksLikeSocket is for systems that do not tell sockets from files.
func looksLikeSocket(fs.FileInfo) bool { return false }
