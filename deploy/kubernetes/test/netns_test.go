//go:build linux

package kubernetes

import (
	"context"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// dialContext connects from the host. A socket stays in the network namespace
// of the thread that made it.
func (h *host) dialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	done := make(chan struct{})
	h.inside <- func() {
		defer close(done)
		// To an address, so that no other goroutine looks it up or dials.
		conn, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, address)
	}
	<-done
	return conn, err
}

// workInside runs functions in the host's namespace, on a thread that meanwhile
// is used for nothing else. The thread must outlive it: processes that were
// started on a thread get their Pdeathsig when that ends.
func (h *host) workInside(ns *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err == nil {
		err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		panic(err) // else the test would talk to the wrong network
	}
	ns.Close()
	for f := range h.inside {
		f()
	}
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err)
	}
	home.Close()
}
