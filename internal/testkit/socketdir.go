package testkit

import (
	"os"
	"testing"
)

// SocketDir is a directory for Unix sockets: its path is short, and nobody else may write to it or
// on the way.
func SocketDir(t testing.TB) string {
	t.Helper()
	base := "/run"
	if os.Geteuid() != 0 {
		if base = os.Getenv("XDG_RUNTIME_DIR"); base == "" {
			t.Skip("there is no XDG_RUNTIME_DIR, and this is not root")
		}
	}
	dir, err := os.MkdirTemp(base, "dnsmus-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
