//go:build unix

package control

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// R25: a socket is not made where others could put something in its place, and the error says so.
func TestR25Place(t *testing.T) {
	dir := testkit.SocketDir(t)
	mk := func(name string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.Mkdir(path, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	writable, sticky := mk("writable", 0o777), mk("sticky", fs.ModeSticky|0o777)
	own := mk("own", 0o700)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(own, link); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(own, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(own, "taken")
	answers, err := net.Listen("unix", taken)
	if err != nil {
		t.Fatal(err)
	}
	defer answers.Close()
	for path, words := range map[string]string{
		"/tmp/dnsmus-test-control":            "others may write to /tmp",
		filepath.Join(writable, "control"):    "others may write to " + writable,
		filepath.Join(sticky, "control"):      "others may write to " + sticky,
		filepath.Join(writable, "a/control"):  "others may write to " + writable,
		filepath.Join(link, "control"):        link + " is a symbolic link",
		filepath.Join(dir, "none/at/control"): "make the directory",
		"control":                             "not absolute",
		plain:                                 "which is no socket",
		own:                                   "which is no socket",
		filepath.Join(plain, "control"):       plain + " is no directory",
		"/" + strings.Repeat("a", maxPath):    "name a shorter one",
		taken:                                 "another program answers there",
	} {
		if err := Check(path); path != taken && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%s, checked: there is no %q in %v", path, words, err)
		}
		s, err := Open(path, silentHooks)
		if err == nil {
			s.Release()
			t.Errorf("%s is opened", path)
		} else if !strings.Contains(err.Error(), words) {
			t.Errorf("%s: there is no %q in %v", path, words, err)
		}
	}
	if os.Geteuid() == 0 {
		foreign := mk("foreign", 0o700)
		if err := os.Chown(foreign, 12345, -1); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(filepath.Join(foreign, "control"), silentHooks); err == nil || !strings.Contains(err.Error(), "owned by user 12345") {
			t.Error(err)
		}
	}
	// A directory of one's own below a sticky one is as good as any.
	s, err := Open(filepath.Join(mk("sticky/own", 0o700), "control"), silentHooks)
	if err != nil {
		t.Fatal(err)
	}
	s.Release()

	fresh := filepath.Join(own, "fresh")
	for _, path := range []string{taken, filepath.Join(own, "control"), filepath.Join(fresh, "control")} {
		if err := Check(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Lstat(fresh); err == nil {
		t.Error("Check makes a directory")
	}
}
