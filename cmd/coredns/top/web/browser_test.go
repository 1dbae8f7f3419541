//go:build unix

package web

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The browser is given a file that only its user can read; the token is in no argument.
func TestOpen(t *testing.T) {
	home, bin := t.TempDir(), t.TempDir()
	said := filepath.Join(home, "arguments")
	for _, name := range []string{"xdg-open", "open"} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\necho \"$@\" >"+said+".new && mv "+said+".new "+said+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	if runtime.GOOS != "darwin" {
		if _, err := browse("http://127.0.0.1:1/#secret", 1000); err == nil || err.Error() != "there is no desktop" {
			t.Error(err)
		}
	}
	t.Setenv("DISPLAY", ":0")
	if _, err := browse("http://127.0.0.1:1/#secret", 0); err == nil || err.Error() != "it would run as root" {
		t.Error(err)
	}
	forget, err := browse("http://127.0.0.1:1/#secret&a", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var arguments string
	testkit.Eventually(t, func() error {
		b, err := os.ReadFile(said)
		arguments = strings.TrimSpace(string(b))
		return err
	})
	path, isFile := strings.CutPrefix(arguments, "file://")
	text, err := os.ReadFile(path)
	if !isFile || err != nil || strings.Contains(arguments, "secret") || !strings.Contains(string(text), `content="0;url=http://127.0.0.1:1/#secret&amp;a"`) {
		t.Errorf("%s, %s, %v", arguments, text, err)
	}
	for _, name := range []string{path, filepath.Dir(path)} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	forget()
	if left, err := filepath.Glob(filepath.Join(home, "dnsmus*")); err != nil || len(left) > 0 {
		t.Error(fmt.Sprint(left, err))
	}
}
