package upstream

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// A server allows a client one connection; further ones are refused, reset or dropped.
func TestStreamOnlyOneAllowed(t *testing.T) {
	for _, way := range []string{"refused", "closed", "dropped"} {
		t.Run(way, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					switch {
					case way == "closed" && p.conn > 0:
						p.send(nil)
					case asks(p.msg, "slow.example."):
						answerAfter(1000*ms, nil)(p)
					default:
						answerAfter(20*ms, nil)(p)
					}
				})
				u := f.upstream(t, forceTCP, func(c *Config) {
					dial := c.Dial
					var dials atomic.Int32
					c.Dial = func(ctx context.Context, to udp.Peer) (net.Conn, error) {
						n := dials.Add(1)
						if n > 1 && way == "refused" {
							return nil, syscall.ECONNRESET
						}
						if n > 1 && way == "dropped" {
							<-ctx.Done()
							return nil, ctx.Err()
						}
						return dial(ctx, to)
					}
				})
				ask(u, query("warm.example."))
				var all sync.WaitGroup
				for i := range 3 {
					all.Go(func() {
						name := fmt.Sprintf("host%d.example.", i)
						if i == 0 {
							name = "slow.example."
						}
						if o := ask(u, query(name)); !o.good() {
							t.Errorf("%s: %v after %v, told down %v", name, o.err, o.after, o.toldDown)
						}
					})
					time.Sleep(ms)
				}
				all.Wait()
			})
		})
	}
}

// The same over a round tripper, with more queries than workers.
func TestRoundTripperOnlyOneAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) { return slowly(ctx, 100*ms, msg) }}
		s.t = t
		var n atomic.Int32 // connections tried
		u := newFake(nil).upstream(t, func(c *Config) {
			c.ForceTCP, c.Warm = true, time.Minute
			c.DialRoundTripper = func(ctx context.Context, a udp.Peer) (RoundTripper, error) {
				if n.Add(1) > 1 {
					return nil, syscall.ECONNREFUSED
				}
				return s.dial(ctx, a)
			}
		})
		ask(u, query("warm.example."))
		lost := 0
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 150 {
			all.Go(func() {
				if o := ask(u, query("host.example.")); !o.good() {
					mu.Lock()
					lost++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		equal(t, "lost", lost, 0)
	})
}

// A server hangs up at once on a name. Queries of others, which take it longer and
// share the connection, are answered.
func TestStreamPoisonedForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			if asks(p.msg, "poison.example.") {
				time.AfterFunc(10*ms, func() { p.send(nil) })
			} else {
				answerAfter(100*ms, nil)(p)
			}
		})
		f.dial = func(string, int) error { time.Sleep(20 * ms); return nil }
		u := f.upstream(t, forceTCP)
		ask(u, query("warm.example."))
		var all sync.WaitGroup
		all.Go(func() { ask(u, query("poison.example.")) })
		time.Sleep(ms)
		for i := range 3 {
			all.Go(func() {
				if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() {
					t.Errorf("host%d: %v after %v", i, o.err, o.after)
				}
			})
		}
		all.Wait()
	})
}

// A server of one reply a connection, asked over a round tripper.
func TestRoundTripperOfOneReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(single)
		s.answer = func(ctx context.Context, c *singleConn, msg []byte) ([]byte, error) {
			first := false
			c.once.Do(func() { first = true; close(c.done) })
			if first {
				return replyTo(msg, good), nil
			}
			return nil, errClosed
		}
		u := s.upstream(t)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if o := ask(u, query("host.example.")); !o.good() {
					t.Errorf("%v after %v", o.err, o.after)
				}
			})
		}
		all.Wait()
	})
}
