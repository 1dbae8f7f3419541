//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// twoWays is a Corefile of dnsmus and, to tell its faults from CoreDNS's,
// forward. They ask the same resolver.
type twoWays struct {
	loopback
	dnsmus, forward, metrics string // ports
	upstream                 string
	p                        *process
}

func newTwoWays(t *testing.T) *twoWays {
	t.Helper()
	l := newLoopback(t)
	w := &twoWays{loopback: l, upstream: l.fake(answers)}
	l.resolvConf(w.upstream, l.fake(denies))
	w.dnsmus, w.forward, w.metrics = l.freePort(), l.freePort(), l.freePort()
	return w
}

// corefile returns the Corefile with further lines at its end and in the block of
// dnsmus.
func (w *twoWays) corefile(end, line string) string {
	return fmt.Sprintf(`.:%s {
		bind 127.0.0.1
		%s
		dnsmus resolv.conf.dnsmus
		prometheus 127.0.0.1:%s
		errors
	}
	.:%s {
		bind 127.0.0.1
		forward . %s
		errors
	}
	%s
	`, w.dnsmus, line, w.metrics, w.forward, w.upstream, end)
}

// whileLoaded runs f while both blocks are asked.
func (w *twoWays) whileLoaded(f func()) {
	w.Helper()
	ways := []string{"forward", "dnsmus"}
	rate := testkit.Times(300, 1500)
	loads := []*load{w.load("127.0.0.1:"+w.forward, rate), w.load("127.0.0.1:"+w.dnsmus, rate)}
	f()
	for i, load := range loads {
		w.Log(ways[i] + ":")
		load.stop().mustAllBeGood(w.T)
	}
}

// settles waits until the process holds no more than before.
func (w *twoWays) settles(before usage) {
	w.Helper()
	w.eventually(func() error { return before.exceededBy(w.usage(w.p, w.metrics)) })
}

// TestReloadUnderLoad reloads the Corefile while queries come. Not one is lost, and
// nothing of the old instances stays.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	t.Run("signal", func(t *testing.T) {
		w := newTwoWays(t)
		w.p = w.coredns(w.corefile("", "")).awaits("@127.0.0.1 -p " + w.forward + " load1.example")
		w.reloadBySignal(1) // the first makes what is made once
		before := w.usage(w.p, w.metrics)
		w.whileLoaded(func() {
			for i := range testkit.Times(4, 20) {
				w.reloadBySignal(i + 2)
				time.Sleep(200 * time.Millisecond) // of load on the new one
			}
		})
		w.settles(before)
	})

	t.Run("plugin", func(t *testing.T) {
		w := newTwoWays(t)
		w.p = w.coredns(w.corefile("", "reload 2s 0s")).awaits("@127.0.0.1 -p " + w.forward + " load1.example")
		before := w.usage(w.p, w.metrics)
		w.whileLoaded(func() {
			for i := range testkit.Times(1, 5) {
				w.write("Corefile", w.corefile("", fmt.Sprintf("reload 2s 0s\nbufsize %d", 1000+i)))
				w.p.printsTimes(i+1, "Reloading complete")
			}
		})
		w.settles(before)
	})

	// The old instance goes on, and nothing of the new one stays.
	for _, broken := range []struct{ name, end, line, prints string }{
		{"syntax", "{", "", "Unexpected"},
		{"unknown plugin", "", "no_such_plugin", "Unknown directive"},
		{"stanza", "", "dnsmus 127.0.0.1:1", "only be used once"},
		{"address", ".:5553 {\nbind 192.0.2.1\nwhoami\n}", "", "cannot assign requested address"},
	} {
		t.Run("broken: "+broken.name, func(t *testing.T) {
			w := newTwoWays(t)
			w.p = w.coredns(w.corefile("", "")).awaits("@127.0.0.1 -p " + w.forward + " load1.example")
			w.reloadBySignal(1)
			before := w.usage(w.p, w.metrics)
			w.write("Corefile", w.corefile(broken.end, broken.line))
			w.whileLoaded(func() {
				for i := range testkit.Times(4, 20) {
					w.p.reloads()
					w.p.printsTimes(i+1, "[ERROR] SIGUSR1")
				}
			})
			w.write("Corefile", w.corefile("", "")) // this one is in order again
			w.reloadBySignal(2)
			w.settles(before)
			if !strings.Contains(w.p.Printed(), broken.prints) {
				t.Errorf("no %q in the log", broken.prints)
			}
		})
	}
}

// A Corefile that cannot be read, or is none, is told once, and by the metric until it is as before.
func TestCorefileIsAway(t *testing.T) {
	w := newTwoWays(t)
	good := w.corefile("", "reload 2s 0s")
	w.p = w.coredns(good).awaits("@127.0.0.1 -p " + w.forward + " load1.example")
	failed := func(want float64) {
		t.Helper()
		w.eventually(func() error {
			if got := metric(t, w.metrics, "coredns_dnsmus_reload_failed"); got != want {
				return fmt.Errorf("reload_failed is %v", got)
			}
			return nil
		})
	}
	failed(0)
	for i, spoil := range []func(){
		func() { os.Remove(filepath.Join(w.dir, "Corefile")) },
		func() { w.write("Corefile", good+"{") },
	} {
		spoil()
		w.p.printsTimes(i+1, "[ERROR] The Corefile cannot be loaded again")
		failed(1)
		w.write("Corefile", good)
		failed(0)
	}
}

// reloadBySignal asks the process to reload, and waits until it has done so for
// the n-th time.
func (w *twoWays) reloadBySignal(n int) {
	w.Helper()
	w.p.reloads()
	w.p.printsTimes(n, "Reloading complete")
}
