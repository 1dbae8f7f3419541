package handler

import (
	"context"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/cache"
	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// packing is a client's end that packs messages, as CoreDNS's server does.
type packing struct{ test.ResponseWriter }

func (*packing) WriteMsg(m *dns.Msg) error {
	_, err := m.Pack()
	return err
}

// BenchmarkHit is what a query costs in the plugin that is answered with what is kept, beside
// *cache* above; with CoreDNS's writer, and with another plugin's around it.
func BenchmarkHit(b *testing.B) {
	for _, kept := range []bool{false, true} {
		values := option.Values{Rules: race.Rules{Timeout: 4 * time.Second}, Patience: 2 * time.Second}
		what := "cache"
		if kept {
			values.Cache, what = 10_000, "kept"
		}
		h := started(Config{Upstreams: plain(echo(b)), Values: values})
		b.Cleanup(func() { h.Stop() })
		var to plugin.Handler = h
		if !kept {
			above := cache.New()
			above.Next = h
			to = above
		}
		for _, wrapped := range []bool{false, true} {
			name := what
			if wrapped {
				name += ", wrapped"
			}
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
				for b.Loop() {
					q := *m
					var w dns.ResponseWriter = request.NewScrubWriter(&q, new(packing))
					if wrapped {
						w = dnstest.NewRecorder(w)
					}
					if _, err := to.ServeDNS(context.Background(), w, &q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
