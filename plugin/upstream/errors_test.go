package upstream

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestR10SendErrors(t *testing.T) {
	for _, tc := range []struct {
		what string
		bad  int // sockets that fail
		dial bool
		err  error
		good bool
	}{
		{"one socket lost its address", 1, false, syscall.ENETUNREACH, true},
		{"no route", 99, false, syscall.ENETUNREACH, false},
		{"no route when connecting", 99, true, syscall.EHOSTUNREACH, false},
		{"closed port", 99, false, syscall.ECONNREFUSED, false},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(ms, nil))
				var seen []int
				fail := func(network string, n int) error {
					if n < tc.bad && network == "udp" {
						seen = append(seen, n)
						return tc.err
					}
					return nil
				}
				if tc.dial {
					f.dial = fail
				} else {
					f.write = fail
				}
				o := ask(f.upstream(t), query("host.example."))
				equal(t, "good", o.good(), tc.good)
				if !tc.good && (!errors.Is(o.err, tc.err) || o.after != 0) {
					t.Errorf("got %v after %v, want %v at once", o.err, o.after, tc.err)
				}
				if len(seen) > 2 {
					t.Errorf("tried %d times", len(seen))
				}
				equal(t, "queries over TCP", len(times(f.log(), "tcp")), 0)
			})
		})
	}
}

// R10: the source address changes while packets are lost, more than once. Each
// time a fresh socket helps, so none of it ends the exchange.
func TestR10ErrorsInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		gone := 0 // sockets below this have lost their address
		f.write = func(_ string, n int) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if n < gone {
				return syscall.ENETUNREACH
			}
			return nil
		}
		move := func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			gone = f.dials["udp"]
		}
		u := f.upstream(t)
		for range 50 { // until all sockets are in use
			ask(u, query("warm.example."))
		}
		f.script(func(packet) {})
		move()
		time.AfterFunc(10*ms, move)
		time.AfterFunc(400*ms, func() { f.script(answerAfter(ms, nil)) })
		if o := ask(u, query("host.example.")); !o.good() {
			t.Errorf("failed after %v: %v", o.after, o.err)
		}
	})
}
