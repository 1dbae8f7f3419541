package handler

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// BenchmarkWatched is a query's way through the plugin with a control socket that nobody reads events
// from, and with one that somebody does.
func BenchmarkWatched(b *testing.B) {
	for _, what := range []string{"without", "asleep", "watched"} {
		b.Run(what, func(b *testing.B) {
			var set []netip.AddrPort
			for range 3 {
				set = append(set, echo(b))
			}
			v := option.Values{Rules: race.Rules{Timeout: 4 * time.Second}, Patience: 2 * time.Second, Learn: time.Minute, Cache: 10000}
			if what != "without" {
				v.Control, v.Socket, v.History = true, filepath.Join(testkit.SocketDir(b), "control"), 1000
			}
			h := started(Config{Upstreams: plain(set...), Values: v})
			b.Cleanup(func() { h.Stop() })
			if what == "watched" {
				client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "unix", v.Socket)
				}}}
				resp, err := client.Get("http://dnsmus" + api.Events)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { resp.Body.Close() })
				go io.Copy(io.Discard, resp.Body)
			}
			b.ReportAllocs()
			w := new(test.ResponseWriter)
			m := new(dns.Msg)
			m.SetQuestion("host.example.", dns.TypeA)
			for i := range b.N {
				m.Id = dns.Id()
				m.Question[0].Name = fmt.Sprintf("host%d.example.", i)
				if _, err := h.ServeDNS(context.Background(), w, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEvent is what it costs to put one race in words.
func BenchmarkEvent(b *testing.B) {
	var set []netip.AddrPort
	for range 3 {
		set = append(set, echo(b))
	}
	v := option.Values{Rules: race.Rules{Timeout: 4 * time.Second}, Patience: 2 * time.Second}
	h := New(Config{Upstreams: plain(set...), Values: v})
	h.control = &controlled{Block: &control.Block{Name: "127.0.0.1:53"}, socket: new(control.Socket)}
	c := poolConfig(v)
	ran := false
	c.Over = func(t pool.Told) bool {
		if ran {
			return false
		}
		ran = true
		b.ReportAllocs()
		b.ResetTimer()
		for range b.N {
			event, _ := h.eventOf(t)
			if err := json.NewEncoder(io.Discard).Encode(event()); err != nil {
				b.Error(err)
			}
		}
		b.StopTimer()
		return false
	}
	h.pool = pool.New(c)
	h.Start()
	defer func() { h.control = nil; h.Stop() }()
	if _, err := h.ServeDNS(context.Background(), new(test.ResponseWriter), new(dns.Msg).SetQuestion("host.example.", dns.TypeA)); err != nil {
		b.Fatal(err)
	}
}
