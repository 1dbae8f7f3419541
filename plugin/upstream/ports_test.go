package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// at has an upstream at another address, over the same ports.
func at(addr string, shared *ports.Ports) func(*Config) {
	return func(c *Config) { c.Addr, c.Ports = netip.MustParseAddrPort(addr), shared }
}

// tapped is a socket whose packets a test may see and change.
type tapped struct {
	udp.Conn
	sending func([]udp.Packet)
}

func (c tapped) Send(packets []udp.Packet) {
	c.sending(packets)
	c.Conn.Send(packets)
}

// tappedPorts are ports of the fake: sending sees what leaves in one call, and coming may
// change what comes.
func tappedPorts(f *fake, sending func([]udp.Packet), coming func(*udp.Packet)) *ports.Ports {
	return ports.Over(func(v6 bool, received udp.Receiver) (udp.Conn, error) {
		conn, err := f.Listen(v6, func(packets []udp.Packet) {
			for i := range packets {
				coming(&packets[i])
			}
			received(packets)
		})
		return tapped{conn, sending}, err
	})
}

func ignored([]udp.Packet) {}

// R9: a packet is from the upstream's address and port, and over its link, or it is
// nothing: neither a reply nor a near miss.
func TestR9Source(t *testing.T) {
	elsewhere := map[string]func(*udp.Packet){
		"another port":    func(p *udp.Packet) { p.Peer.Addr = netip.AddrPortFrom(p.Peer.Addr.Addr(), p.Peer.Addr.Port()+1) },
		"another address": func(p *udp.Packet) { p.Peer.Addr = netip.AddrPortFrom(p.Peer.Addr.Addr().Next(), p.Peer.Addr.Port()) },
		"another link":    func(p *udp.Packet) { p.Peer.Link++ },
	}
	for name, index := range map[string]uint32{"192.0.2.53:53": 0, "192.0.2.54:53": 7, "[2001:db8::53]:53": 7, "[fe80::53]:53": 7} {
		for what, move := range elsewhere {
			if what == "another link" && index == 0 {
				continue // it is bound to none
			}
			for _, id := range []string{"the right id", "a wrong id"} {
				t.Run(name+" "+what+" "+id, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						obs := &upObserver{}
						f := newFake(func(p packet) {
							forged := replyTo(p.msg, good)
							if id == "a wrong id" {
								wire.Header(forged).SetID(^wire.Header(forged).ID())
							}
							p.send(forged)
							answerAfter(50*ms, nil)(p)
						})
						n := 0
						shared := tappedPorts(f, ignored, func(p *udp.Packet) {
							if n++; n == 1 {
								move(p)
							}
						})
						u := f.upstream(t, at(name, shared), func(c *Config) { c.Observer = obs })
						if index != 0 {
							u.Link(index, link.Bound)
						}
						o := ask(u, query("host.example."))
						if !o.good() || o.after != 50*ms || len(f.log()) != 1 || obs.near.Load() != 0 {
							t.Errorf("good %v after %v, %d packets sent, %d near misses", o.good(), o.after, len(f.log()), obs.near.Load())
						}
					})
				})
			}
		}
	}
}

// An upstream without a link is heard over any, also where another upstream with the same
// address is bound to that link: ids tell them apart.
func TestR9AnyLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(50*ms, nil))
		shared := tappedPorts(f, ignored, func(p *udp.Packet) { p.Peer.Link = 7 })
		free := f.upstream(t, at("192.0.2.53:53", shared))
		if o := ask(free, query("host.example.")); !o.good() || o.after != 50*ms {
			t.Errorf("alone: good %v after %v", o.good(), o.after)
		}
		bound := f.upstream(t, at("192.0.2.53:53", shared))
		bound.Link(7, link.Bound)
		for range 10 { // so many at once that ids of the one are ids of the other, too
			var all []*outcome
			for i := range 2000 {
				all = append(all, pendingAsk(free, query(fmt.Sprintf("host%d.example.", i))), pendingAsk(bound, query(fmt.Sprintf("other%d.example.", i))))
			}
			time.Sleep(51 * ms)
			synctest.Wait()
			for i, o := range all {
				if !o.good() || o.after != 50*ms {
					t.Fatalf("query %d of upstream %d: good %v after %v", i/2, i%2, o.good(), o.after)
				}
			}
		}
	})
}

// R1: a race leaves in one call, from one port, with ids that differ.
func TestR1Batch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		calls, ids := 0, make(map[uint16]bool)
		shared := tappedPorts(f, func(packets []udp.Packet) {
			calls++
			for _, p := range packets {
				ids[wire.Header(p.Msg).ID()] = true
			}
		}, func(*udp.Packet) {})
		var all []*Upstream
		for _, addr := range []string{"192.0.2.1:53", "[2001:db8::1]:53", "192.0.2.2:53", "[2001:db8::2]:53", "192.0.2.3:53"} {
			all = append(all, f.upstream(t, at(addr, shared)))
		}
		for range 20 {
			calls = 0
			clear(ids)
			batch := NewBatch()
			var told []*outcome
			for _, u := range all {
				o := newOutcome()
				told = append(told, o)
				batch.Ask(u, query("host.example."), o)
			}
			equal(t, "calls before the batch is sent", calls, 0)
			batch.Send()
			equal(t, "calls, one for each family", calls, 2)
			if len(ids) < len(all)-1 {
				t.Errorf("%d ids for %d upstreams", len(ids), len(all))
			}
			time.Sleep(2 * ms)
			for i, o := range told {
				if !o.good() {
					t.Errorf("upstream %d: no reply", i)
				}
			}
		}
	})
}

// An upstream that always fails does not cost the others their ports.
func TestR10OthersKeepPorts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		bad := netip.MustParseAddr("192.0.2.66")
		shared := ports.Over(func(v6 bool, received udp.Receiver) (udp.Conn, error) {
			conn, err := f.Listen(v6, received)
			return unreachable{conn, bad}, err
		})
		u := f.upstream(t, at("192.0.2.1:53", shared))
		dead := f.upstream(t, at("192.0.2.66:53", shared), func(c *Config) { c.Dial = refused })
		const seconds = 60
		for range seconds * 20 {
			ask(dead, query("host.example."))
			if o := ask(u, query("host.example.")); !o.good() || o.after != ms {
				t.Fatalf("good %v after %v", o.good(), o.after)
			}
			time.Sleep(50 * ms)
		}
		if n := f.opened("udp"); n > ports.InUse*(seconds+ports.RenewBurst+1) {
			t.Errorf("%d ports were opened in %d s", n, seconds)
		}
	})
}

func refused(context.Context, udp.Peer) (net.Conn, error) { return nil, syscall.ECONNREFUSED }

// unreachable is a socket from which no route leads to an address.
type unreachable struct {
	udp.Conn
	bad netip.Addr
}

func (c unreachable) Send(packets []udp.Packet) {
	for i := range packets {
		if packets[i].Peer.Addr.Addr() == c.bad {
			packets[i].Err = syscall.EHOSTUNREACH
		} else {
			c.Conn.Send(packets[i : i+1])
		}
	}
}

// A port that somebody may have found out is out of use for all.
func TestR9NearMissOfOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			b := replyTo(p.msg, good)
			wire.Header(b).SetID(^wire.Header(b).ID())
			p.send(b)
		})
		shared := ports.Over(f.Listen)
		u, other := f.upstream(t, at("192.0.2.1:53", shared)), f.upstream(t, at("192.0.2.2:53", shared))
		o := newOutcome()
		defer o.waitNoMore()
		u.Ask(query("host.example."), o)
		time.Sleep(ms)
		found := f.log()[0].conn
		f.script(answerAfter(ms, nil))
		for range 50 {
			ask(other, query("next.example."))
		}
		for _, p := range f.log() {
			if p.network == "udp" && p.conn == found {
				t.Fatal("the port is still used by another upstream")
			}
		}
	})
}

// An upstream that was taken out and has come back has the same address twice for a
// while, over the same ports: each gets its own replies, and late ones are no near miss.
func TestSameAddressTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs := &upObserver{}
		f := newFake(answerAfter(300*ms, nil))
		shared := ports.Over(f.Listen)
		watched := func(c *Config) { c.Observer = obs }
		u, again := f.upstream(t, at("192.0.2.1:53", shared), watched), f.upstream(t, at("192.0.2.1:53", shared), watched)
		for range 20 {
			var both sync.WaitGroup
			for _, x := range []*Upstream{u, again} {
				both.Go(func() {
					if o := ask(x, query("host.example.")); !o.good() || o.after != 300*ms {
						t.Errorf("good %v after %v", o.good(), o.after)
					}
				})
			}
			both.Wait()
		}
		if n := obs.near.Load(); n != 0 {
			t.Errorf("%d replies were taken for forged ones", n)
		}
	})
}

// Ports are shared: however many upstreams there are, few are open.
func TestPortsAreFew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		shared := ports.Over(f.Listen)
		var all []*Upstream
		for i := range 50 {
			all = append(all, f.upstream(t, at(fmt.Sprintf("192.0.2.%d:53", i+1), shared)))
		}
		for range 200 {
			for _, u := range all {
				ask(u, query("host.example."))
			}
			if n := f.stillOpen(); n > 2*ports.InUse {
				t.Fatalf("%d ports are open", n)
			}
		}
	})
}

// R9, RFC 5452, section 9.2: neither the id nor the port of a query says anything of
// those of the next.
func TestR9Unpredictable(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	type seen struct{ port, id uint16 }
	const n = 20000
	log := make(chan seen, 2*n)
	go func() {
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			log <- seen{from.Port(), wire.Header(buf).ID()}
			buf[2] |= 0x80
			conn.WriteToUDPAddrPort(buf[:size], from)
		}
	}()
	u := New(Config{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Timeout: testTimeout, Patience: testPatience})
	defer u.Close()
	q := query("host.example.")
	told := make(signal, 1)
	for range n {
		u.Ask(q, told)
		<-told
	}
	var all []seen
	for range n {
		all = append(all, <-log)
	}
	used := make(map[uint16]int)
	ids := make(map[uint16]bool)
	same, lower, ones := 0, 0, [16]int{}
	for i, s := range all {
		used[s.port]++
		ids[s.id] = true
		for bit := range ones {
			ones[bit] += int(s.id >> bit & 1)
		}
		if i > 0 && s.port == all[i-1].port {
			same++
		}
		if i > 0 && s.id < all[i-1].id {
			lower++
		}
	}
	// The bounds are six standard deviations from what chance does, and more.
	if len(used) < ports.InUse {
		t.Errorf("%d ports", len(used))
	}
	if same < n/ports.InUse*9/10 || same > n/ports.BusyInUse*11/10 { // of few ports on a quick machine, of many on a slow one
		t.Errorf("%d of %d queries left from the same port as the one before", same, n)
	}
	if len(ids) < 17000 || len(ids) > 17500 { // 65536*(1-exp(-n/65536)) is 17,236
		t.Errorf("%d ids in %d queries", len(ids), n)
	}
	if lower < n/2-500 || lower > n/2+500 {
		t.Errorf("%d of %d ids are lower than the one before", lower, n)
	}
	for bit, k := range ones {
		if k < n/2-500 || k > n/2+500 {
			t.Errorf("bit %d of ids is set in %d of %d", bit, k, n)
		}
	}
}

// A closed port of one upstream is told at once, and costs the others nothing.
func TestClosedPortBesideOpen(t *testing.T) {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	conn.Close()
	shared := ports.New()
	cfg := Config{Addr: echoes(t), Timeout: testTimeout, Patience: testPatience, Ports: shared}
	u := New(cfg)
	defer u.Close()
	cfg.Addr = closed
	dead := New(cfg)
	defer dead.Close()
	for i := range 200 {
		batch := NewBatch()
		a, b := newOutcome(), newOutcome()
		batch.Ask(dead, query("host.example."), b)
		x, wake := batch.Ask(u, query("host.example."), a)
		batch.Send()
		drive(x, wake, a)
		b.waitNoMore()
		if !a.good() {
			t.Fatalf("query %d: %v after %v", i, a.err, a.after)
		}
	}
	if o := ask(dead, query("host.example.")); o.err == nil || o.toldDown {
		t.Errorf("a closed port is told as %v, down %v", o.err, o.toldDown)
	}
}
