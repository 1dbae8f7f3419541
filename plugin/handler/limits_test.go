package handler

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// tcpOnly is a resolver over TCP that knows all names, each after a while, allows
// a client so many connections at a time, and hangs up on "drop.".
func tcpOnly(t *testing.T, limit int, after time.Duration) netip.AddrPort {
	l, err := net.Listen("tcp", "127.0.0.9:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := 0
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open++
			full := open > limit
			mu.Unlock()
			done := func() { c.Close(); mu.Lock(); open--; mu.Unlock() }
			if full {
				done()
				continue
			}
			all.Go(func() {
				defer done()
				var w sync.Mutex
				for {
					b, err := testkit.ReadFrame(c)
					if err != nil {
						return
					}
					q := new(dns.Msg)
					if q.Unpack(b) != nil {
						return
					}
					if strings.HasPrefix(q.Question[0].Name, "drop.") {
						time.Sleep(10 * time.Millisecond)
						return
					}
					d := after
					if q.Question[0].Qtype == dns.TypeNS {
						d = 0
					}
					time.AfterFunc(d, func() {
						m := new(dns.Msg).SetReply(q)
						good(m)
						raw, _ := m.Pack()
						w.Lock()
						defer w.Unlock()
						c.Write(testkit.Frame(raw))
					})
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().(*net.TCPAddr).AddrPort()
}

// besideDenier asks for the names at once, of a resolver that knows them beside one
// that denies all. Nothing else runs then: on a machine that has no time, connections that
// are cut off every few milliseconds use up all tries.
func besideDenier(t *testing.T, limit int, after time.Duration, names ...string) {
	denier := resolver(t, func(a asked) { a.reply(0, nxdomain) })
	knower := tcpOnly(t, limit, after)
	server := serve(t, []netip.AddrPort{denier, knower}, nil, func(c *Config) { c.ForceTCP = true })
	mustExchange(t, "udp", server, question("warm.example.", dns.TypeA))
	var all sync.WaitGroup
	for _, name := range names {
		all.Go(func() {
			r, err := exchange("udp", server, question(name, dns.TypeA))
			if err != nil {
				t.Error(err)
			} else if !strings.HasPrefix(name, "drop.") && r.Rcode != dns.RcodeSuccess {
				t.Errorf("%s: %s", name, dns.RcodeToString[r.Rcode])
			}
		})
		time.Sleep(time.Millisecond)
	}
	all.Wait()
}

func many(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("host%d.example.", i))
	}
	return names
}

// Some servers allow a client few connections: that must not make denials.
func TestConnectionLimit(t *testing.T) {
	for limit := 1; limit <= 4; limit++ {
		t.Run(fmt.Sprint(limit), func(t *testing.T) { besideDenier(t, limit, 30*time.Millisecond, many(8)...) })
	}
}

// A name on which the server hangs up must not make denials of others.
func TestHangUpOnOneName(t *testing.T) {
	besideDenier(t, 100, 100*time.Millisecond, append([]string{"drop.example."}, many(12)...)...)
}
