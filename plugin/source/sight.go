package source

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// racy is how long after a change a file may change once more without a new time of that,
// where times are coarse: that of FAT is.
const racy = 3 * time.Second

// sight is what a look at a file from outside shows, without what is in it.
type sight struct {
	info fs.FileInfo // nil: it is not there, or cannot be opened
	at   time.Time
}

// lookAt looks at files. Each is opened, which has network file systems ask the server.
func lookAt(files []string) (all []sight) {
	look := func(file string) fs.FileInfo {
		f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return nil
		}
		return info
	}
	for _, file := range files {
		at := time.Now()
		dir, name := filepath.Split(file)
		if name != anything {
			all = append(all, sight{look(file), at})
			continue
		}
		inside, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			all = append(all, sight{nil, at})
			continue
		}
		all = append(all, sight{look(dir), at})
		for _, f := range inside {
			all = append(all, sight{look(filepath.Join(dir, f.Name())), at})
		}
	}
	return all
}

// unchanged reports whether what was seen before shows that nothing has changed since then.
func unchanged(before, now []sight) bool {
	return slices.EqualFunc(before, now, func(a, b sight) bool {
		if a.info == nil || b.info == nil {
			return a.info == nil && b.info == nil
		}
		return os.SameFile(a.info, b.info) && a.info.Mode() == b.info.Mode() && a.info.Size() == b.info.Size() &&
			a.info.ModTime().Equal(b.info.ModTime()) && a.at.Sub(a.info.ModTime()) > racy
	})
}
