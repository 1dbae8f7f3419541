package testkit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Netns makes a network namespace with loopback up, until the end of the test, and
// returns its name, as of ip-netns(8). That needs root.
func Netns(t testing.TB) string {
	t.Helper()
	name := Name()
	if err := makeNetns(netns + "/" + name); err != nil {
		t.Fatalf("network namespace %s: %v", name, err)
	}
	t.Cleanup(func() {
		if err := removeNetns(netns + "/" + name); err != nil {
			t.Errorf("network namespace %s: %v", name, err)
		}
	})
	return name
}

// makeNetns does as ip(8), without its start for each of three commands.
func makeNetns(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, nil, 0o444); err != nil {
		return err
	}
	var failed error
	err := elsewhere(func() error { return unix.Unshare(unix.CLONE_NEWNET) }, func() {
		failed = errors.Join(loopbackUp(), unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, ""))
	})
	return errors.Join(err, failed)
}

func removeNetns(path string) error {
	unix.Unmount(path, unix.MNT_DETACH) // if it got as far as that
	return os.Remove(path)
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
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
	there, err := os.Open(netns + "/" + name)
	if err != nil {
		return err
	}
	defer there.Close()
	return elsewhere(func() error { return unix.Setns(int(there.Fd()), unix.CLONE_NEWNET) }, f)
}

// elsewhere calls f in the network namespace that leave leads to, and comes back.
func elsewhere(leave func() error, f func()) error {
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer home.Close()
	runtime.LockOSThread()
	if err := leave(); err != nil {
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
