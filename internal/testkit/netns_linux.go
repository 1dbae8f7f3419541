package testkit

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Netns makes a network namespace with loopback up, until the end of the test, and
// returns its name. That needs root and ip(8).
func Netns(t testing.TB) string {
	t.Helper()
	name := Name()
	IP(t, "", "netns", "add", name)
	t.Cleanup(func() { IP(t, "", "netns", "delete", name) })
	IP(t, name, "link", "set", "lo", "up")
	return name
}

// IP runs ip(8), in a namespace unless that is empty.
func IP(t testing.TB, netns string, args ...string) {
	t.Helper()
	if netns != "" {
		args = append([]string{"-netns", netns}, args...)
	}
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Errorf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// InNetns calls f in a network namespace: sockets that f itself opens belong there, and so
// do programs that it starts.
func InNetns(name string, f func()) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	there, err := os.Open("/run/netns/" + name)
	if err != nil {
		return err
	}
	defer there.Close()
	runtime.LockOSThread()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return err // the thread stays locked, so that nobody else gets it
	}
	runtime.UnlockOSThread()
	return nil
}
