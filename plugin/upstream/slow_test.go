package upstream

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// noneLost asks for ten seconds: all have to be answered, and none told that the
// upstream is down.
func noneLost(t *testing.T, u *Upstream, qps int) {
	t.Helper()
	var all sync.WaitGroup
	var lost, down atomic.Int64
	n := 10 * qps
	for i := range n {
		all.Go(func() {
			o := ask(u, query(fmt.Sprintf("host%d.example.", i)))
			if !o.good() {
				lost.Add(1)
			}
			if o.toldDown {
				down.Add(1)
			}
		})
		time.Sleep(time.Second / time.Duration(qps))
	}
	all.Wait()
	if lost.Load() > 0 || down.Load() > 0 {
		t.Errorf("%d of %d lost, %d told down", lost.Load(), n, down.Load())
	}
}

// Names take long; a probe does not.
func TestVerySlowNames(t *testing.T) {
	t.Parallel()
	rates := []int{1, 5, 20, 100, 500}
	rates = rates[:testkit.Times(4, len(rates))]
	for _, kind := range []string{"tcp", "udp"} {
		for _, latency := range []time.Duration{1500 * ms, 2500 * ms, 3500 * ms} {
			for _, qps := range rates {
				t.Run(fmt.Sprintf("%s %v at %d a second", kind, latency, qps), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFake(func(p packet) {
							if wire.QuestionType(wire.Question(p.msg)) == dns.TypeNS {
								answerAfter(20*ms, nil)(p)
							} else {
								answerAfter(latency, nil)(p)
							}
						})
						var u *Upstream
						if kind == "tcp" {
							u = f.upstream(t, forceTCP)
						} else {
							u = f.upstream(t)
						}
						noneLost(t, u, qps)
					})
				})
			}
		}
	}
}

// Most names are quick, a few take long.
func TestSomeVerySlowNames(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{1500 * ms, 2000 * ms, 2500 * ms, 3500 * ms} {
		for _, every := range []int{1, 2, 5, 20} {
			for _, qps := range []int{1, 2, 5, 20, 100} {
				t.Run(fmt.Sprintf("%v one of %d at %d a second", latency, every, qps), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFake(func(p packet) {
							if wire.Question(p.msg)[1] == 's' {
								answerAfter(latency, nil)(p)
							} else {
								answerAfter(20*ms, nil)(p)
							}
						})
						u := f.upstream(t, forceTCP)
						var all sync.WaitGroup
						var lost, quick atomic.Int64
						n := 20 * qps
						for i := range n {
							all.Go(func() {
								name := fmt.Sprintf("quick%d.example.", i)
								if i%every == 0 {
									name = fmt.Sprintf("slow%d.example.", i)
								}
								if o := ask(u, query(name)); !o.good() {
									lost.Add(1)
									if i%every != 0 {
										quick.Add(1)
									}
								}
							})
							time.Sleep(time.Second / time.Duration(qps))
						}
						all.Wait()
						if lost.Load() > 0 {
							t.Errorf("%d of %d slow and %d quick lost, %d connections, %d queries", lost.Load()-quick.Load(), n/every, quick.Load(), f.opened("tcp"), len(f.log()))
						}
					})
				})
			}
		}
	}
}

// A handshake is a sign of life.
func TestHandshakeIsNoSilence(t *testing.T) {
	for _, rtt := range []time.Duration{300 * ms, 500 * ms, 600 * ms, 700 * ms, 800 * ms} {
		t.Run(rtt.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(rtt, nil))
				f.dial = func(string, int) error { time.Sleep(2 * rtt); return nil }
				u := f.upstream(t, forceTCP)
				o := ask(u, query("host.example."))
				if !o.good() || o.toldDown {
					t.Errorf("good %v after %v, told down %v after %v", o.good(), o.after, o.toldDown, o.down)
				}
			})
		})
	}
}

// A connection that is not opened in time is tried once more, if there is time left.
func TestDialTakesLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(20*ms, nil))
		var n atomic.Int32
		u := f.upstream(t, forceTCP, func(c *Config) {
			c.Patience = 3500 * ms
			dial := c.Dial
			c.Dial = func(ctx context.Context, to udp.Peer) (net.Conn, error) {
				if n.Add(1) == 1 {
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return dial(ctx, to)
			}
		})
		o := ask(u, query("host.example."))
		if !o.good() {
			t.Errorf("%v after %v (dials %d)", o.err, o.after, n.Load())
		}
	})
}
