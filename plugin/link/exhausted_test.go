//go:build unix

package link

import (
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// An interface is not gone because there is no file descriptor to ask for it with.
func TestLookWithoutDescriptors(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	if _, _, foundOut := Look("no-such-link", addr); !foundOut {
		t.Error("whether no-such-link is there was not found out")
	}
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 100
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		defer f.Close()
	}
	for _, name := range []string{"lo", "no-such-link", "1"} {
		if _, state, foundOut := Look(name, addr); foundOut {
			t.Errorf("%s is taken to be %v", name, state)
		}
	}
	if w, foundOut := WayTo(addr, 0); foundOut {
		t.Errorf("packets are taken to leave by %v", w)
	}
}
