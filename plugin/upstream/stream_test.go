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

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

func forceTCP(c *Config) { c.ForceTCP = true }

// Replies come in any order on connections that many queries share.
func TestStreamIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) { answerAfter(time.Duration(200-p.n)*ms, nil)(p) })
		u := f.upstream(t, forceTCP)
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				q := query(fmt.Sprintf("host%d.example.", i))
				if o := ask(u, q); !o.good() || !wire.SameQuestion(wire.Question(o.reply), wire.Question(q.Msg)) {
					t.Errorf("query %d: %v", i, o.err)
				}
			})
		}
		wg.Wait()
		if n := f.opened("tcp"); n > maxStreams {
			t.Errorf("%d connections for 100 queries", n)
		}
		equal(t, "sockets for UDP", f.opened("udp"), 0)
		time.Sleep(maxIdle + 2*tidyEvery)
		equal(t, "connections open when idle", f.stillOpen(), 0)
	})
}

// One attempt to connect is under way at a time, however many queries wait.
func TestStreamDialsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		dialling, most := 0, 0
		var mu sync.Mutex
		f.dial = func(string, int) error {
			mu.Lock()
			dialling++
			most = max(most, dialling)
			mu.Unlock()
			time.Sleep(300 * ms)
			mu.Lock()
			dialling--
			mu.Unlock()
			return nil
		}
		u := f.upstream(t, forceTCP)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if o := ask(u, query("host.example.")); !o.good() {
					t.Error(o.err)
				}
			})
			time.Sleep(ms)
		}
		wg.Wait()
		equal(t, "attempts at a time", most, 1)
	})
}

// Many servers close a connection after each reply, or when it was idle for a
// while: no query is lost by that.
func TestStreamClosedByServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			p.send(replyTo(p.msg, good))
			time.AfterFunc(10*ms, func() { p.send(nil) })
		})
		u := f.upstream(t, forceTCP)
		for i := range 30 {
			if o := ask(u, query("host.example.")); !o.good() {
				t.Errorf("query %d: %v", i, o.err)
			}
			time.Sleep(time.Duration(i) * ms)
		}
	})
}

// A query that a server answers by hanging up is asked a few times, not for ever.
func TestStreamHangUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) { p.send(nil) })
		o := ask(f.upstream(t, forceTCP), query("host.example."))
		if o.err != errClosed || o.calls != 1 {
			t.Errorf("%d calls, error %v, reply % x", o.calls, o.err, o.reply)
		}
		equal(t, "queries", len(f.log()), maxDials)
	})
}

// Some servers take one query a connection. All of many are answered.
func TestStreamOfOneReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			p.send(replyTo(p.msg, good))
			p.send(nil)
		})
		u := f.upstream(t, forceTCP)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() {
					t.Errorf("query %d: %v", i, o.err)
				}
			})
		}
		wg.Wait()
	})
}

// A query that ends the connections of others is not asked for ever either, and
// the others are answered.
func TestStreamPoisoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		f := newFake(func(p packet) {
			if asks(p.msg, "poison.example.") {
				asked.Add(1)
				p.send(nil)
			} else {
				p.send(replyTo(p.msg, good))
			}
		})
		u := f.upstream(t, forceTCP)
		var wg sync.WaitGroup
		wg.Go(func() {
			if o := ask(u, query("poison.example.")); o.err == nil {
				t.Errorf("no error, reply % x", o.reply)
			}
		})
		for i := range 100 {
			if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() {
				t.Errorf("query %d: %v", i, o.err)
			}
		}
		wg.Wait()
		if n := asked.Load(); n > maxDials+maxClosedEarly {
			t.Errorf("asked %d times", n)
		}
	})
}

// A server that accepts connections and says nothing is down, however many ask,
// and not one that fails.
func TestStreamsSilent(t *testing.T) {
	for _, qps := range []int{1, 10, 100, 1000} {
		t.Run(fmt.Sprintf("%d a second", qps), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {})
				u := f.upstream(t, forceTCP)
				var all sync.WaitGroup
				for i := range 6 * qps {
					all.Go(func() {
						o := ask(u, query(fmt.Sprintf("host%d.example.", i)))
						o.mu.Lock()
						defer o.mu.Unlock()
						if !o.toldDown || o.calls > 0 && o.after < testTimeout {
							t.Errorf("query %d: down %v, error %v after %v", i, o.toldDown, o.err, o.after)
						}
					})
					time.Sleep(time.Second / time.Duration(qps))
				}
				all.Wait()
				if n := f.opened("tcp"); n > 100 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

// A server that works on one query of a connection after another must not let
// one slow name hold up the others.
func TestStreamStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := map[int]bool{}
		f := newFake(nil)
		f.script(func(p packet) {
			f.mu.Lock()
			defer f.mu.Unlock()
			if asks(p.msg, "slow.example.") {
				stalled[p.conn] = true
			}
			if !stalled[p.conn] {
				answerAfter(ms, nil)(p)
			}
		})
		u := f.upstream(t, forceTCP)
		held := 0
		for range 3 * maxStreams {
			go ask(u, query("slow.example."))
			time.Sleep(known.LeastStall + 10*ms)
			o := ask(u, query("host.example."))
			if !o.good() || o.after > known.LeastStall+10*ms {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
			if o.after > 10*ms { // it was behind a slow name that was asked again just now
				held++
			}
		}
		if held > maxStreams {
			t.Errorf("slow names held up others %d times", held)
		}
		if n := f.stillOpen(); n > maxOpen {
			t.Errorf("%d connections are open", n)
		}
	})
}

// Messages that answer nothing do not end a query, nor the connection.
func TestStreamIgnoresMismatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			p.send([]byte{1, 2, 3})
			p.send(replyTo(p.msg, func(m *dns.Msg) { m.Id++ }))
			p.send(replyTo(p.msg, func(m *dns.Msg) { m.Question[0].Name = "other.example." }))
			answerAfter(50*ms, nil)(p)
		})
		o := ask(f.upstream(t, forceTCP), query("host.example."))
		if !o.good() || o.after != 50*ms {
			t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
		}
	})
}

// A server that speaks with one connection at a time answers on the first only:
// who waits on another is asked again on the one that speaks.
func TestStreamServerWithOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(10*ms, func(p packet) bool { return p.conn == 0 }))
		u := f.upstream(t, forceTCP)
		ask(u, query("warm.example."))
		var all sync.WaitGroup
		for i := range 2 { // at once: the second opens another connection
			all.Go(func() {
				o := ask(u, query(fmt.Sprintf("host%d.example.", i)))
				if !o.good() || o.after > known.LeastStall+20*ms {
					t.Errorf("query %d: good %v after %v", i, o.good(), o.after)
				}
			})
		}
		all.Wait()
	})
}

// A connection that is to be held open is opened again when the server closes it,
// so that the next query finds one; but not for ever, nor again and again.
func TestStreamIsWarm(t *testing.T) {
	warm := func(c *Config) { c.ForceTCP, c.Warm = true, time.Minute }
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			answerAfter(0, nil)(p)
			time.AfterFunc(20*time.Second, func() { p.send(nil) }) // it hangs up
		})
		u := f.upstream(t, warm)
		if o := ask(u, query("host.example.")); !o.good() {
			t.Fatal(o.err)
		}
		time.Sleep(30 * time.Second)
		equal(t, "connections", f.opened("tcp"), 2)
		equal(t, "open connections", f.stillOpen(), 1)
		o := ask(u, query("host.example."))
		if !o.good() || f.opened("tcp") != 2 {
			t.Errorf("good %v over connection %d", o.good(), f.opened("tcp"))
		}
		time.Sleep(10 * time.Minute)
		if n := f.opened("tcp"); n > 4 {
			t.Errorf("%d connections while nothing is asked", n)
		}
		equal(t, "open connections when nothing is asked", f.stillOpen(), 0)
	})
	synctest.Test(t, func(t *testing.T) { // a server that hangs up on who says nothing
		f := newFake(func(p packet) { answerAfter(0, nil)(p); time.AfterFunc(ms, func() { p.send(nil) }) })
		u := f.upstream(t, warm)
		ask(u, query("host.example."))
		time.Sleep(10 * time.Second)
		equal(t, "connections", f.opened("tcp"), 2)
	})
}

// A resolver that cannot be connected to, or hangs up on everybody, is not dialled
// for each query. When it is back, the next query has its answer.
func TestStreamPauses(t *testing.T) {
	for _, way := range []string{"refuses", "closes"} {
		synctest.Test(t, func(t *testing.T) {
			away := true
			f := newFake(answerAfter(0, nil))
			f.dial = func(string, int) error {
				time.Sleep(5 * ms)
				if away && way == "refuses" {
					return syscall.ECONNREFUSED
				}
				return nil
			}
			if way == "closes" {
				f.script(func(p packet) { p.send(nil) })
			}
			u := f.upstream(t, forceTCP)
			var all sync.WaitGroup
			for range 5000 {
				all.Go(func() {
					if o := ask(u, query("host.example.")); o.good() || o.after > maxDials*(maxDialPause+10*ms) {
						t.Errorf("%s: good %v after %v", way, o.good(), o.after)
					}
				})
				time.Sleep(ms / 5)
			}
			all.Wait()
			if n := f.opened("tcp"); n < 5 || n > 25 {
				t.Errorf("%s: %d connections for 5000 queries in a second", way, n)
			}
			away = false
			f.script(answerAfter(0, nil))
			if o := ask(u, query("host.example.")); !o.good() || o.after > maxDialPause+10*ms {
				t.Errorf("%s: when it is back, good %v after %v", way, o.good(), o.after)
			}
		})
	}
}

// A client on TCP is served over UDP by an upstream whose TCP port is filtered,
// as by one whose port is closed.
func TestStreamFirstFiltered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		dial := func(ctx context.Context, to udp.Peer) (net.Conn, error) { // SYNs are dropped
			<-ctx.Done()
			return nil, ctx.Err()
		}
		q := query("host.example.")
		q.Stream = true
		u := f.upstream(t, func(c *Config) { c.Dial = dial })
		o := ask(u, q)
		if !o.good() || o.toldDown {
			t.Errorf("good %v after %v, told down %v after %v, %d queries over UDP", o.good(), o.after, o.toldDown, o.down, len(times(f.log(), "udp")))
		}
	})
}

// An upstream that takes its time, over a few connections, answers all.
func TestSlowStreams(t *testing.T) {
	for _, latency := range []time.Duration{300 * ms, 600 * ms, 1200 * ms, 1800 * ms} {
		for _, qps := range []int{2, 5, 20} {
			t.Run(fmt.Sprintf("%v at %d a second", latency, qps), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(answerAfter(latency, nil))
					noneLost(t, f.upstream(t, forceTCP), qps)
				})
			})
		}
	}
}

// The same where most names are quick and some slow.
func TestSomeSlowNames(t *testing.T) {
	for _, slowEvery := range []int{4, 10, 50} {
		t.Run(fmt.Sprintf("one of %d", slowEvery), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					if wire.Question(p.msg)[wire.HeaderSize-11] == 's' {
						answerAfter(1200*ms, nil)(p)
					} else {
						answerAfter(20*ms, nil)(p)
					}
				})
				u := f.upstream(t, forceTCP)
				var all sync.WaitGroup
				var slow, slowLost, quickLost, quickLate atomic.Int64
				for i := range 400 {
					all.Go(func() {
						if i%slowEvery == 0 {
							slow.Add(1)
							if o := ask(u, query(fmt.Sprintf("slow%d.example.", i))); !o.good() {
								slowLost.Add(1)
							}
							return
						}
						o := ask(u, query(fmt.Sprintf("quick%d.example.", i)))
						if !o.good() {
							quickLost.Add(1)
						} else if o.after > 100*ms {
							quickLate.Add(1)
						}
					})
					time.Sleep(20 * ms)
				}
				all.Wait()
				t.Logf("lost: %d of %d slow, %d quick; quick ones late: %d; %d connections", slowLost.Load(), slow.Load(), quickLost.Load(), quickLate.Load(), f.opened("tcp"))
				if slowLost.Load()+quickLost.Load() > 0 {
					t.Fail()
				}
			})
		})
	}
}
