package upstream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// network is the way to a fake resolver, which may let only some packets through.
type network struct {
	*fake
	mu       sync.Mutex
	udp, tcp string // what becomes of packets: "open", "dropped", "refused", "unsent", "mute"
}

func (n *network) set(udp, tcp string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.udp, n.tcp = udp, tcp
}

func (n *network) get() (udp, tcp string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.udp, n.tcp
}

func newNetwork(udp, tcp string) *network {
	n := &network{udp: udp, tcp: tcp}
	n.fake = newFake(func(p packet) {
		udp, tcp := n.get()
		switch {
		case p.network == "udp" && udp != "open":
		case p.network == "tcp" && tcp != "open":
		default:
			answerAfter(10*ms, nil)(p)
		}
	})
	n.write = func(string, int) error {
		switch udp, _ := n.get(); udp {
		case "refused":
			return syscall.ECONNREFUSED
		case "unsent":
			return syscall.EPERM
		}
		return nil
	}
	return n
}

func (n *network) Dial(ctx context.Context, to udp.Peer) (net.Conn, error) {
	_, tcp := n.get()
	switch {
	case tcp == "dropped":
		<-ctx.Done()
		return nil, ctx.Err()
	case tcp == "refused":
		return nil, syscall.ECONNREFUSED
	}
	return n.fake.Dial(ctx, to)
}

func (n *network) upstream(t *testing.T, change ...func(*Config)) *Upstream {
	return n.fake.upstream(t, append(change, func(c *Config) { c.Dial = n.Dial })...)
}

// R6: as long as one of the two paths works, every query is answered, and from the
// third on in a round trip, without the other path's wait.
func TestR6OnePathWorks(t *testing.T) {
	for _, udp := range []string{"open", "dropped", "refused", "unsent"} {
		for _, tcp := range []string{"open", "dropped", "refused", "mute"} {
			if udp != "open" && tcp != "open" {
				continue
			}
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("UDP %s, TCP %s, client on TCP %v", udp, tcp, stream), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						n := newNetwork(udp, tcp)
						u := n.upstream(t)
						slow := 0
						for i := range 40 {
							q := query(fmt.Sprintf("host%d.example.", i))
							q.Stream = stream
							o := ask(u, q)
							if !o.good() || o.toldDown {
								t.Fatalf("query %d: good %v after %v, told down %v: %v", i, o.good(), o.after, o.toldDown, o.err)
							}
							if o.after > 20*ms {
								if slow++; slow > 2 {
									t.Errorf("query %d: after %v", i, o.after)
								}
							}
							time.Sleep(500 * ms)
						}
					})
				})
			}
		}
	}
}

// The same when the path changes while queries come: none is lost, and at most two
// wait.
func TestR6PathChanges(t *testing.T) {
	paths := [][2]string{{"open", "open"}, {"dropped", "open"}, {"open", "dropped"}, {"refused", "open"}, {"open", "refused"}, {"unsent", "open"}, {"open", "mute"}}
	for _, from := range paths {
		for _, to := range paths {
			t.Run(fmt.Sprint(from, to), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork(from[0], from[1])
					u := n.upstream(t)
					late := 0
					for i := range 60 {
						if i == 30 {
							n.set(to[0], to[1])
							late = 0
						}
						o := ask(u, query(fmt.Sprintf("host%d.example.", i)))
						if !o.good() || o.toldDown {
							t.Fatalf("query %d: good %v after %v, told down %v: %v", i, o.good(), o.after, o.toldDown, o.err)
						}
						if o.after > 20*ms {
							if late++; late > 3 {
								t.Errorf("query %d waited, the %d. one: %v", i, late, o.after)
							}
						}
						time.Sleep(300 * ms)
					}
				})
			})
		}
	}
}

// What is blocked is tried again now and then, and used again when it works.
func TestR6BlockedPathIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork("dropped", "open")
		u := n.upstream(t)
		for range 10 {
			ask(u, query("host.example."))
		}
		n.script(n.answer)
		for range 600 {
			ask(u, query("host.example."))
			time.Sleep(100 * ms)
		}
		if tried := len(times(n.log(), "udp")); tried == 0 || tried > 20 {
			t.Errorf("UDP was tried %d times in a minute", tried)
		}
		n.set("open", "open")
		for range 1200 {
			ask(u, query("host.example."))
			time.Sleep(100 * ms)
		}
		n.script(n.answer)
		ask(u, query("host.example."))
		if log := n.log(); len(log) != 1 || log[0].network != "udp" {
			t.Errorf("asked %d times, first over %s", len(log), log[0].network)
		}
	})
}

// An upstream that comes back after an absence is found over either path.
func TestR5BackOverEitherPath(t *testing.T) {
	for _, paths := range [][2]string{{"open", "dropped"}, {"dropped", "open"}, {"refused", "open"}, {"open", "refused"}} {
		t.Run(fmt.Sprint(paths), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork("dropped", "dropped")
				u := n.upstream(t)
				ask(u, query("host.example."))
				time.Sleep(20 * time.Second)
				n.set(paths[0], paths[1])
				time.Sleep(testTimeout/2 + 2*tidyEvery) // a dial that the absence swallows, and a probe
				o := ask(u, query("host.example."))
				if !o.good() || o.toldDown {
					t.Errorf("some seconds after its return: good %v after %v, told down %v", o.good(), o.after, o.toldDown)
				}
			})
		})
	}
}

// A packet that the network does not take just now is a lost one: none of a thousand
// queries fails, however many packets are not taken.
func TestR6Unsent(t *testing.T) {
	for _, err := range []syscall.Errno{syscall.EPERM, syscall.ENOBUFS, syscall.EAGAIN} {
		for _, part := range []float64{0.1, 0.3, 0.5} {
			t.Run(fmt.Sprintf("%v, %v", err, part), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					rng := rand.New(rand.NewPCG(1, 2))
					n := newNetwork("open", "refused")
					n.write = func(string, int) error {
						if rng.Float64() < part {
							return err
						}
						return nil
					}
					u := n.upstream(t)
					for i := range 1000 {
						if o := ask(u, query("host.example.")); !o.good() || o.toldDown {
							t.Fatalf("query %d: good %v after %v: %v", i, o.good(), o.after, o.err)
						}
					}
				})
			})
		}
	}
}

// For a third of a second no packet is taken, or all are lost. Who asked then is
// answered.
func TestR6Flap(t *testing.T) {
	for _, way := range []string{"unsent", "dropped"} {
		for _, length := range []time.Duration{300 * ms, 500 * ms, 1500 * ms} {
			t.Run(fmt.Sprintf("%s for %v", way, length), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("open", "refused")
					u := n.upstream(t)
					for range 50 {
						ask(u, query("warm.example."))
					}
					time.AfterFunc(100*ms, func() { n.set(way, "refused") })
					time.AfterFunc(100*ms+length, func() { n.set("open", "refused") })
					var all sync.WaitGroup
					for i := range 400 {
						all.Go(func() {
							if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() || o.after > length+1100*ms {
								t.Errorf("query %d, asked at %v: good %v after %v: %v", i, time.Duration(i)*5*ms, o.good(), o.after, o.err)
							}
						})
						time.Sleep(5 * ms)
					}
					all.Wait()
				})
			})
		}
	}
}

// R5: one whose replies all take longer than patience is found to be up by its
// replies, and waited for.
func TestR5Slow(t *testing.T) {
	for _, tcp := range []string{"open", "refused", "dropped"} {
		for _, latency := range []time.Duration{2300 * ms, 3 * time.Second} {
			t.Run(fmt.Sprintf("%v, TCP %s", latency, tcp), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("open", tcp)
					n.answer = answerAfter(latency, nil)
					u := n.upstream(t)
					wrong := 0
					for i := range 15 {
						o := newOutcome()
						x, next := u.Ask(query(fmt.Sprintf("host%d.example.", i)), o)
						// The race is over when its upstream is down.
						for !o.isDown() && !o.good() && time.Since(o.start) < testTimeout {
							time.Sleep(min(10*ms, max(ms, instant.Until(next))))
							next = x.Retry(instant.Now())
						}
						if !o.good() {
							wrong++
						}
						o.waitNoMore()
						time.Sleep(time.Second)
					}
					if wrong > 2 {
						t.Errorf("%d of 15 were not waited for", wrong)
					}
				})
			})
		}
	}
}

// R8: a truncated reply, of which the whole cannot be had, is asked for again in the
// client's own size, and handed on as it is if that does not help.
func TestR8WholeCannotBeHad(t *testing.T) {
	for _, tcp := range []string{"refused", "dropped", "mute"} {
		for _, fits := range []bool{false, true} {
			t.Run(fmt.Sprintf("TCP %s, fits %v", tcp, fits), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("open", tcp)
					n.answer = func(p packet) {
						if p.network == "tcp" {
							return
						}
						q := new(dns.Msg)
						q.Unpack(p.msg)
						whole := fits && q.IsEdns0().UDPSize() == 4096
						p.send(replyTo(p.msg, func(m *dns.Msg) {
							if whole {
								good(m)
							} else {
								m.Truncated = true
							}
						}))
					}
					u := n.upstream(t)
					for i := range 5 {
						m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
						m.SetEdns0(1232, false)
						b, _ := m.Pack()
						o := ask(u, &Query{Msg: b, UDPSize: 4096})
						if o.reply == nil || o.good() != fits {
							t.Fatalf("query %d: good %v, error %v after %v", i, o.good(), o.err, o.after)
						}
						if i > 1 && o.after > 300*ms {
							t.Errorf("query %d waited %v", i, o.after)
						}
					}
				})
			})
		}
	}
}

// R6: however long packets are waited for, a stream has its turn before the upstream
// would be down.
func TestR6StreamHasItsTurn(t *testing.T) {
	for _, late := range []int{0, 1, 8, 16, 100} { // packets that were late before
		for _, patience := range []time.Duration{100 * ms, 500 * ms, 2 * time.Second, 4 * time.Second} {
			t.Run(fmt.Sprint(late, patience), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNetwork("dropped", "open")
					u := n.upstream(t, func(c *Config) { c.Patience = patience })
					u.mu.Lock()
					for range late {
						u.known.RTT.Expired()
					}
					u.mu.Unlock()
					for i := range 5 {
						if o := ask(u, query(fmt.Sprintf("host%d.example.", i))); !o.good() || o.toldDown {
							t.Fatalf("query %d: good %v after %v, told down %v", i, o.good(), o.after, o.toldDown)
						}
					}
				})
			})
		}
	}
}

// A host whose address changes all the time, on a network that drops either UDP or
// TCP: what is on its way from the old address is lost without a word, and for a
// moment TCP may have no address at all, but nothing else is lost.
func TestR6AddressChanges(t *testing.T) {
	t.Parallel()
	for _, every := range []time.Duration{2 * time.Second, 5 * time.Second} {
		for _, gap := range []time.Duration{0, 50 * ms, 300 * ms} {
			for _, pause := range []time.Duration{10 * ms, 170 * ms, 1300 * ms} {
				for _, way := range []string{"udp", "tcp"} {
					if way == "udp" && gap > 0 {
						continue // no route, and no other path: the query fails at once (R10)
					}
					t.Run(fmt.Sprint(way, every, gap, pause), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { addressChanges(t, way, every, gap, pause) })
					})
				}
			}
		}
	}
}

func addressChanges(t *testing.T, way string, every, gap, pause time.Duration) {
	n := newNetwork("dropped", "open")
	if way == "udp" {
		n = newNetwork("open", "dropped")
	}
	start := time.Now()
	address := func() int { return int(time.Since(start) / every) }
	var mu sync.Mutex
	from := make(map[int]int) // the address of each connection or socket
	n.dial = func(network string, conn int) error {
		if network == way {
			if time.Since(start)%every < gap {
				return syscall.ENETUNREACH
			}
			mu.Lock()
			from[conn] = address()
			mu.Unlock()
		}
		return nil
	}
	still := func(conn int) bool {
		mu.Lock()
		defer mu.Unlock()
		return from[conn] == address()
	}
	n.write = func(_ string, conn int) error {
		if way == "udp" && !still(conn) {
			return syscall.ENETUNREACH
		}
		return nil
	}
	n.fake.answer = func(p packet) {
		if p.network == way && still(p.conn) {
			time.AfterFunc(10*ms, func() {
				if still(p.conn) {
					p.send(replyTo(p.msg, good))
				}
			})
		}
	}
	u := n.upstream(t)
	var asking sync.WaitGroup
	for i := range testkit.Times(600, 2000) {
		asking.Go(func() {
			o := ask(u, query(fmt.Sprintf("host%d.example.", i)))
			if !o.good() || o.toldDown {
				t.Errorf("%v: good %v after %v, told down %v: %v", o.start.Sub(start), o.good(), o.after, o.toldDown, o.err)
			}
		})
		time.Sleep(pause)
	}
	asking.Wait()
}
