//go:build !unix

package control

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makePlace makes the directory of a socket, if its parent is there. Who may connect is decided by
// the rights that it inherits.
func makePlace(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("%w; make the directory %s, or name a path in another one", err, filepath.Dir(dir))
		}
		return nil
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	return nil
}

// findPlace returns the error of makePlace, as far as it is known without making anything.
func findPlace(dir string) error {
	if info, err := os.Lstat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	return nil
}

func restrict(uintptr, uint32) {}

// looksLikeSocket reports whether a file may be a socket, which this system may show as an
// irregular one.
func looksLikeSocket(info fs.FileInfo) bool { return info.Mode()&fs.ModeIrregular != 0 }
