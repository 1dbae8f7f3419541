package handler

import (
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/cache"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// R7: a denial on which not every upstream gave an opinion lives for a few seconds, as any
// does, and says why.
func TestR7Inconclusive(t *testing.T) {
	t.Parallel()
	silent := func(asked) {}
	closed := netip.MustParseAddrPort("127.0.0.1:1")
	own := func(m *dns.Msg) { // with an extended error of its own
		nxdomain(m)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeFiltered}}
	}
	for _, tc := range []struct {
		what   string
		denial func(*dns.Msg)
		other  func(t *testing.T) netip.AddrPort
		ttl    uint32
		errs   []uint16
		text   string
	}{
		{"silent", nxdomain, func(t *testing.T) netip.AddrPort { return resolver(t, silent) }, 5,
			[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, race.ErrDown.Error()},
		{"SERVFAIL", soa, func(t *testing.T) netip.AddrPort { return resolver(t, denies(code(dns.RcodeServerFailure))) }, 5,
			[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, "SERVFAIL"},
		{"referral", nxdomain, func(t *testing.T) netip.AddrPort { return resolver(t, denies(referral)) }, 5,
			[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, "referral"},
		{"nothing but a referral", referral, func(t *testing.T) netip.AddrPort { return resolver(t, denies(code(dns.RcodeServerFailure))) }, 5,
			[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, "SERVFAIL"},
		{"closed", nxdomain, func(*testing.T) netip.AddrPort { return closed }, 5,
			[]uint16{dns.ExtendedErrorCodeNetworkError}, "refused"},
		{"closed, and the reply has an error", own, func(*testing.T) netip.AddrPort { return closed }, 5,
			[]uint16{dns.ExtendedErrorCodeFiltered, dns.ExtendedErrorCodeNetworkError}, "refused"},
		{"REFUSED", nxdomain, func(t *testing.T) netip.AddrPort { return resolver(t, denies(code(dns.RcodeRefused))) }, 5,
			[]uint16{dns.ExtendedErrorCodeNoReachableAuthority}, "REFUSED"},
		{"conclusive", nxdomain, func(t *testing.T) netip.AddrPort { return resolver(t, denies(nxdomain)) }, 5, nil, ""},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			set := []netip.AddrPort{resolver(t, denies(tc.denial)), tc.other(t)}
			addr := serve(t, set, nil, func(c *Config) {
				if c.Rules.Timeout, c.Patience = testkit.Patience, testkit.Patience; tc.text == race.ErrDown.Error() {
					c.Patience = 300 * time.Millisecond // or all others reply, however long that takes them
				}
			})
			for _, network := range []string{"udp", "tcp"} {
				m := question("host.example.", dns.TypeA)
				r := mustExchange(t, network, addr, m)
				if len(r.Ns) != 1 || r.Ns[0].Header().Ttl != tc.ttl {
					t.Errorf("%s: want an authority that lives for %d s, got\n%v", network, tc.ttl, r)
				}
				m.SetEdns0(1232, false)
				r = mustExchange(t, network, addr, m)
				var errs []uint16
				text := ""
				for _, o := range r.IsEdns0().Option {
					if ede, ok := o.(*dns.EDNS0_EDE); ok {
						errs = append(errs, ede.InfoCode)
						text = ede.ExtraText
					}
				}
				if len(errs) != len(tc.errs) || len(errs) > 0 && errs[len(errs)-1] != tc.errs[len(errs)-1] {
					t.Errorf("%s: extended errors %v, want %v", network, errs, tc.errs)
				}
				if !strings.Contains(text, tc.text) || tc.text != "" && !strings.Contains(text, set[1].String()) {
					t.Errorf("%s: extended error says %q, want %s and %q", network, text, set[1], tc.text)
				}
			}
		})
	}
}

// R7: however many upstreams gave no opinion, the reply fits a small packet.
func TestR7ManyUpstreams(t *testing.T) {
	set := []netip.AddrPort{resolver(t, denies(nxdomain))}
	for i := range 20 {
		set = append(set, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(i+1)))
	}
	m := question("host.example.", dns.TypeA)
	m.SetEdns0(512, false)
	r := mustExchange(t, "udp", serve(t, set, nil), m)
	if r.Truncated || r.Rcode != dns.RcodeNameError || len(r.Ns) != 1 || len(r.IsEdns0().Option) != 1 {
		t.Errorf("got\n%v", r)
	}
}

// R7 under the cache plugin: a name that was denied before its VPN came, or while it was
// away, comes back soon after the VPN.
func TestR7UnderCache(t *testing.T) {
	t.Parallel()
	var back atomic.Bool
	// cached asks a server with the cache, whose VPN replies so until it is back.
	cached := func(away func(a asked)) (rcode func() string) {
		vpn := resolver(t, func(a asked) {
			if back.Load() {
				a.reply(0, good)
			} else {
				away(a)
			}
		})
		h := started(Config{
			Upstreams: plain(resolver(t, denies(nxdomain)), vpn),
			Values: option.Values{
				Rules:       race.Rules{Timeout: 4 * time.Second},
				Patience:    300 * time.Millisecond,
				NegativeTTL: 5 * time.Second, // the least that cache keeps anything, by default
			},
		})
		c := cache.New()
		c.Next = h
		addr := run(t, h, func(plugin.Handler) plugin.Handler { return c })
		return func() string {
			return dns.RcodeToString[mustExchange(t, "udp", addr, question("host.example.", dns.TypeA)).Rcode]
		}
	}
	conclusive, inconclusive := cached(denies(nxdomain)), cached(func(asked) {})
	for _, rcode := range []func() string{conclusive, inconclusive} {
		if got := rcode(); got != "NXDOMAIN" {
			t.Fatalf("the name's VPN is away, and the reply is %s", got)
		}
	}
	back.Store(true)
	for _, rcode := range []func() string{conclusive, inconclusive} {
		testkit.Eventually(t, func() error { // which is sooner than the minute of the SOA
			if got := rcode(); got != "NOERROR" {
				return fmt.Errorf("the VPN is back, and the reply is still %s", got)
			}
			return nil
		})
	}
}

// A bogus answer that is given because the others are silent is soon forgotten.
func TestBogusTTL(t *testing.T) {
	t.Parallel()
	portal := resolver(t, denies(func(m *dns.Msg) { m.Answer = []dns.RR{rr("host.example. 86400 IN A 198.51.100.1")} }))
	silent := resolver(t, func(asked) {})
	addr := serve(t, []netip.AddrPort{portal, silent}, nil, func(c *Config) {
		c.Patience = 200 * time.Millisecond
		c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	})
	r := mustExchange(t, "udp", addr, question("host.example.", dns.TypeA))
	if ttl := r.Answer[0].Header().Ttl; ttl > 5 {
		t.Errorf("a bogus answer on which one upstream gave no opinion lives %d s", ttl)
	}
}
