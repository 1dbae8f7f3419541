package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// nameIn is the name that a query asks for.
func nameIn(msg []byte) string {
	name, _, _ := dns.UnpackDomainName(wire.Question(msg), 0)
	return name
}

// dropping is a resolver that leaves questions below a zone without reply; also those for the
// zone's own name, unless it is told to answer these.
func dropping(zone string, own bool) func(packet) {
	return answerAfter(10*ms, func(p packet) bool {
		name := nameIn(p.msg)
		return !dns.IsSubDomain(zone, name) || own && name == zone
	})
}

// zones returns what was noted of zones.
func (n *notes) zones() (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, line := range n.lines {
		if _, what, ok := strings.Cut(line, ": unresponsive in "); ok {
			lines = append(lines, what)
		}
	}
	return lines
}

// R5: an upstream that leaves the names of a zone without reply, but answers others, is known
// to be unresponsive there after a few silences, over every path; it is asked all the same, and
// heard when it answers one.
func TestR5UnresponsiveZone(t *testing.T) {
	for _, tc := range []struct {
		what   string
		change func(*Config)
		own    bool
		waited int
	}{
		{"over UDP", func(*Config) {}, false, 4},
		{"over UDP of IPv6", func(c *Config) { c.Addr = netip.MustParseAddrPort("[2001:db8::53]:53") }, false, 4},
		{"over streams", func(c *Config) { c.ForceTCP = true }, false, 4},
		{"by round trips", func(c *Config) {
			dial := c.Dial
			c.ForceTCP, c.DialRoundTripper = true, func(ctx context.Context, to udp.Peer) (RoundTripper, error) {
				conn, err := dial(ctx, to)
				return &streamTripper{conn: conn, done: make(chan struct{})}, err
			}
		}, false, 4},
		{"the zone's own name is answered", func(*Config) {}, true, 5},
		{"it fails, but late", func(c *Config) {}, false, 4},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				notes := &notes{start: time.Now()}
				f := newFake(dropping("local.", tc.own))
				if tc.what == "it fails, but late" {
					f.answer = func(p packet) {
						if dns.IsSubDomain("local.", nameIn(p.msg)) {
							time.AfterFunc(testTimeout+time.Second, func() { p.send(replyTo(p.msg, func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure })) })
							return
						}
						answerAfter(10*ms, nil)(p)
					}
				}
				u := f.upstream(t, func(c *Config) { c.Observer = notes }, tc.change)
				waited := 0
				for i := range 12 {
					ask(u, query(fmt.Sprintf("host%d.example.", i)))
					before := time.Now()
					o := pendingAsk(u, query(fmt.Sprintf("Printer%d.Local.", i)))
					for range 3 { // what others ask meanwhile
						time.Sleep(testTimeout / 4)
						ask(u, query("other.example."))
					}
					<-time.After(time.Until(before.Add(testTimeout + 10*ms)))
					synctest.Wait()
					if o.toldDown {
						t.Fatalf("query %d: told down", i)
					}
					if !o.toldUnresponsive {
						waited++
					} else if !o.forName {
						t.Errorf("query %d: told unresponsive for its type", i)
					}
				}
				if waited > tc.waited {
					t.Errorf("%d of 12 were waited for", waited)
				}
				if o := ask(u, query("host.example.")); !o.good() || o.toldUnresponsive {
					t.Error("other names are not waited for")
				}
				f.script(answerAfter(10*ms, nil))
				if o := ask(u, query("printer.local.")); !o.good() || !o.toldUnresponsive {
					t.Errorf("the first that is answered: good %v, told unresponsive %v", o.good(), o.toldUnresponsive)
				}
				if o := ask(u, query("printer1.local.")); !o.good() || o.toldUnresponsive {
					t.Errorf("the next: good %v, told unresponsive %v", o.good(), o.toldUnresponsive)
				}
				if got := strings.Join(notes.zones(), ", "); got != "local.: true, local.: false" {
					t.Errorf("noted: %s", got)
				}
			})
		})
	}
}

// streamTripper makes round trips to a fake.
type streamTripper struct {
	conn net.Conn
	once sync.Once
	done chan struct{}
}

func (s *streamTripper) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	fake := s.conn.(*fakeStream).fake
	replies := make(chan []byte, 1)
	fake.received("tcp", 0, 0, msg, func(reply []byte) { replies <- reply })
	select {
	case reply := <-replies:
		return reply, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.done:
		return nil, net.ErrClosed
	}
}

func (s *streamTripper) Done() <-chan struct{} { return s.done }
func (s *streamTripper) Close() error {
	s.once.Do(func() { close(s.done) })
	return s.conn.Close()
}

// An exchange that waits when the zone becomes known is told so.
func TestR5UnresponsiveZoneWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(dropping("local.", false))
		u := f.upstream(t)
		for i := range 2 {
			go func() { time.Sleep(time.Second); ask(u, query("host.example.")) }()
			ask(u, query(fmt.Sprintf("host%d.local.", i)))
		}
		go func() {
			for range 20 {
				time.Sleep(time.Second)
				ask(u, query("host.example."))
			}
		}()
		time.Sleep(3 * time.Second) // the zone is being asked for
		o, other := pendingAsk(u, query("host3.local.")), pendingAsk(u, query("host4.example."))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !o.toldUnresponsive || !o.forName || other.toldUnresponsive {
			t.Errorf("told %v, for the name %v; another name %v", o.toldUnresponsive, o.forName, other.toldUnresponsive)
		}
		time.Sleep(20 * time.Second)
	})
}

// A name that takes long, once or always, says nothing of its zone; and one that is answered
// within the time in which a reply is of use says nothing at all.
func TestR5SlowNames(t *testing.T) {
	for what, takes := range map[string]time.Duration{"within the timeout": testTimeout - 100*ms, "beyond it": testTimeout + time.Second, "for ever": time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			notes := &notes{start: time.Now()}
			f := newFake(func(p packet) {
				after := 10 * ms
				if strings.HasPrefix(nameIn(p.msg), "slow") {
					after = takes
				}
				answerAfter(after, nil)(p)
			})
			u := f.upstream(t, func(c *Config) { c.Observer = notes })
			for i := range 10 {
				go func() { time.Sleep(time.Second); ask(u, query("host.test.")) }()
				name := "slow.x.example."
				if what == "within the timeout" {
					name = fmt.Sprintf("slow%d.x.example.", i)
				}
				if o := ask(u, query(name)); o.toldUnresponsive && what != "for ever" {
					t.Errorf("%s: told unresponsive", what)
				}
				if o := ask(u, query(fmt.Sprintf("host%d.y.example.", i))); !o.good() || o.toldUnresponsive {
					t.Errorf("%s, another zone: good %v, told unresponsive %v", what, o.good(), o.toldUnresponsive)
				}
			}
			if o := ask(u, query("fast.x.example.")); !o.good() || o.toldUnresponsive {
				t.Errorf("%s, another name: good %v, told unresponsive %v", what, o.good(), o.toldUnresponsive)
			}
			for _, line := range notes.zones() {
				if line != "slow.x.example.: true" {
					t.Errorf("%s: %s", what, line)
				}
			}
			time.Sleep(10 * time.Second)
		})
	}
}

// An upstream that is silent to all is down, and not unresponsive in any zone.
func TestR5DownIsNoZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := &notes{start: time.Now()}
		f := newFake(func(packet) {})
		u := f.upstream(t, func(c *Config) { c.Observer = notes })
		for i := range 10 {
			ask(u, query(fmt.Sprintf("host%d.local.", i)))
		}
		f.script(answerAfter(10*ms, nil))
		time.Sleep(10 * time.Second)
		if o := ask(u, query("host.local.")); !o.good() || o.toldUnresponsive || len(notes.zones()) > 0 {
			t.Errorf("good %v, told unresponsive %v, noted %q", o.good(), o.toldUnresponsive, notes.zones())
		}
	})
}
