package handler

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// echo is a resolver that costs next to nothing: it turns the query around and
// adds an answer to it.
func echo(b *testing.B) netip.AddrPort {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	record := []byte{0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1}
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			buf[2], buf[3], buf[7] = 0x81, 0x80, 1
			conn.WriteToUDPAddrPort(append(buf[:n], record...), from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// BenchmarkServeDNS is a query's way through the plugin, with resolvers on
// loopback. The resolvers' work is in the time, but not in the allocations.
func BenchmarkServeDNS(b *testing.B) {
	for _, bm := range []struct {
		n     int
		learn time.Duration
	}{{n: 1}, {n: 3}, {n: 5}, {n: 3, learn: time.Minute}} {
		b.Run(fmt.Sprintf("upstreams=%d,learn=%v", bm.n, bm.learn), func(b *testing.B) {
			var set []netip.AddrPort
			for range bm.n {
				set = append(set, echo(b))
			}
			h := started(Config{Upstreams: plain(set...), Values: option.Values{Rules: race.Rules{Timeout: 4 * time.Second}, Patience: 2 * time.Second, Learn: bm.learn}})
			b.Cleanup(func() { h.Stop() })
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := new(test.ResponseWriter)
				m := new(dns.Msg)
				m.SetQuestion("host.example.", dns.TypeA)
				for pb.Next() {
					m.Id = dns.Id()
					m.Question[0].Name = fmt.Sprintf("host%d.example.", m.Id)
					if _, err := h.ServeDNS(context.Background(), w, m); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
