package control

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// leftFor is how old a socket on which nobody answers is at the least when it is removed: one that is
// just made answers in a moment.
const leftFor = time.Minute

// RemoveLeft removes the sockets beside a path that killed processes have left.
func RemoveLeft(path string) {
	all, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*")) // the pattern is right
	for _, other := range all {
		info, err := os.Lstat(other)
		if err != nil || info.Mode()&os.ModeSocket == 0 || time.Since(info.ModTime()) < leftFor {
			continue
		}
		c, err := net.DialTimeout("unix", other, time.Second)
		switch {
		case err == nil:
			c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			os.Remove(other)
		}
	}
}
