package handler

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/cache"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// zipf draws numbers below n: the first most often, the second half as often, and so on.
type zipf []float64 // sums of weights

func newZipf(n int) zipf {
	z, sum := make(zipf, n), 0.0
	for i := range z {
		sum += 1 / float64(i+1)
		z[i] = sum
	}
	return z
}

func (z zipf) draw(r *rand.Rand) int { return sort.SearchFloat64s(z, r.Float64()*z[len(z)-1]) }

// instantly is a network in virtual time, in which every resolver replies at once. It counts
// the queries.
type instantly struct {
	queries atomic.Int64
	reply   func(query *dns.Msg) *dns.Msg
}

func (n *instantly) listen(_ bool, received udp.Receiver) (udp.Conn, error) {
	return &instantConn{n, received}, nil
}

type instantConn struct {
	network  *instantly
	received udp.Receiver
}

func (c *instantConn) Send(packets []udp.Packet) {
	for _, p := range packets {
		query := new(dns.Msg)
		if err := query.Unpack(p.Msg); err != nil {
			panic(err)
		}
		c.network.queries.Add(1)
		msg, err := c.network.reply(query).Pack()
		if err != nil {
			panic(err)
		}
		go c.received([]udp.Packet{{Peer: p.Peer, Msg: msg}})
	}
}

func (c *instantConn) Drops() uint64 { return 0 }
func (c *instantConn) Close()        {}

// What short denials cost: *cache* asks at most half as often again as where it may keep
// denials as long as answers. A client looks up one of 10,000 names a second, the popular ones
// more often, each in its search domain first. The resolver's TTLs and SOA are 300 s. The option
// cache, which keeps denials for a minute, asks less often than *cache*.
func TestZipf(t *testing.T) {
	t.Parallel()
	const ttl = 300
	soa, address := rr(fmt.Sprintf("example. %d IN SOA ns.example. hostmaster.example. 1 2 3 4 %[1]d", ttl)), rr(fmt.Sprintf("host. %d IN A 192.0.2.1", ttl))
	resolver := func(q *dns.Msg) *dns.Msg {
		name := q.Question[0].Name
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		switch {
		case strings.HasSuffix(name, ".corp.example."):
			m.Rcode = dns.RcodeNameError
		case q.Question[0].Qtype == dns.TypeA:
			answer := dns.Copy(address)
			answer.Header().Name = name
			m.Answer = []dns.RR{answer}
			return m
		}
		m.Ns = []dns.RR{soa}
		return m
	}
	asked := func(t *testing.T, negativeTTL time.Duration, entries int, types []uint16) (queries int64) {
		synctest.Test(t, func(t *testing.T) {
			network := &instantly{reply: resolver}
			v := option.Default()
			v.NegativeTTL, v.Cache = negativeTTL, entries
			h := New(Config{Upstreams: plain(netip.MustParseAddrPort("192.0.2.53:53")), Values: v})
			c := poolConfig(v)
			c.Ports = ports.Over(network.listen)
			h.pool = pool.New(c)
			h.Start()
			var above plugin.Handler = h
			if entries == 0 {
				c := cache.New()
				c.Next, above = h, c
			}
			r, names := rand.New(rand.NewPCG(1, 2)), newZipf(10000)
			lookUp := func(d time.Duration) {
				for range d / time.Second {
					host := fmt.Sprintf("host%d.", names.draw(r))
					for _, name := range []string{host + "corp.example.", host} {
						for _, qtype := range types {
							if _, err := above.ServeDNS(t.Context(), dnstest.NewRecorder(&test.ResponseWriter{}), question(name, qtype)); err != nil {
								t.Fatal(err)
							}
						}
					}
					time.Sleep(time.Second)
				}
			}
			lookUp(2 * ttl * time.Second)
			network.queries.Store(0)
			lookUp(time.Hour)
			queries = network.queries.Load()
			h.Stop()
			time.Sleep(time.Minute) // until all is closed
		})
		return queries
	}
	for _, tc := range []struct {
		what  string
		types []uint16
	}{
		{"A", []uint16{dns.TypeA}},
		{"A and AAAA", []uint16{dns.TypeA, dns.TypeAAAA}},
	} {
		before, now := asked(t, ttl*time.Second, 0, tc.types), asked(t, option.Default().NegativeTTL, 0, tc.types)
		t.Logf("%s: %d queries an hour as long as denials live like answers, %d with negative_ttl: %.2f", tc.what, before, now, float64(now)/float64(before))
		if float64(now) > 1.5*float64(before) {
			t.Errorf("%s: %d queries instead of %d", tc.what, now, before)
		}
		own := asked(t, option.Default().NegativeTTL, 10_000, tc.types)
		t.Logf("%s: %d queries with the option cache", tc.what, own)
		if own > now {
			t.Errorf("%s: %d queries with the option cache, and %d with the plugin", tc.what, own, now)
		}
	}
}
