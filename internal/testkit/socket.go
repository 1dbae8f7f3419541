package testkit

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// Socket serves HTTP over a Unix socket until the end of the test, and returns its path, which
// is short enough for one.
func Socket(t testing.TB, h http.Handler) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path = filepath.Join(dir, "control")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return path
}
