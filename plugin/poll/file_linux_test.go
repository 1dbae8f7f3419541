package poll

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// What the poller does not wait for, as a file on a disk, is closed and given up.
func TestNotPolled(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if file, raw := File(fd, "file"); file != nil || raw != nil {
		t.Error("the poller waits for a file on a disk")
	}
}
