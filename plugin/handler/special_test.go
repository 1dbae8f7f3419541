package handler

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// askedLog is a resolver that replies to everything as says has it, and keeps the names that
// it was asked for.
type askedLog struct {
	mu    sync.Mutex
	names []string
	says  func(*dns.Msg)
}

func (l *askedLog) resolver(t *testing.T) netip.AddrPort {
	return resolver(t, func(a asked) {
		l.mu.Lock()
		l.names = append(l.names, dns.CanonicalName(a.msg.Question[0].Name))
		l.mu.Unlock()
		a.reply(0, l.says)
	})
}

func (l *askedLog) saw(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Contains(l.names, dns.CanonicalName(name))
}

// R14: what is answered here leaves for no upstream, unless forward_special is set; names
// that only look like it are raced.
func TestR14SpecialNames(t *testing.T) {
	upstreams := []*askedLog{{says: good}, {says: nxdomain}}
	addrs := []netip.AddrPort{upstreams[0].resolver(t), upstreams[1].resolver(t)}
	for _, forward := range []bool{false, true} {
		addr := serve(t, addrs, nil, func(c *Config) { c.ForwardSpecial = forward })
		for _, tc := range []struct {
			name  string
			rcode int
			owner string // of the SOA; empty: raced
		}{
			{"_dns.resolver.arpa.", dns.RcodeSuccess, "resolver.arpa."},
			{"resolver.arpa.", dns.RcodeSuccess, "resolver.arpa."},
			{"a.b.Resolver.ARPA.", dns.RcodeSuccess, "resolver.arpa."},
			{"use-application-dns.net.", dns.RcodeNameError, "use-application-dns.net."},
			{"USE-application-DNS.net.", dns.RcodeNameError, "use-application-dns.net."},
			{"x.use-application-dns.net.", dns.RcodeNameError, "use-application-dns.net."},
			{"onion.", dns.RcodeNameError, "onion."},
			{"abc.ONION.", dns.RcodeNameError, "onion."},
			{"a.b.invalid.", dns.RcodeNameError, "invalid."},
			{"invalid.", dns.RcodeNameError, "invalid."},

			{name: "notresolver.arpa."},
			{name: "resolver.arpa.corp.example."},
			{name: "garlic-onion."},
			{name: "onion.example."},
			{name: `x\005onion.`},
			{name: "my-use-application-dns.net."},
			{name: "arpa."},
			{name: "mask.icloud.com."},
		} {
			for _, network := range []string{"udp", "tcp"} {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSVCB} {
					for _, u := range upstreams {
						u.mu.Lock()
						u.names = nil
						u.mu.Unlock()
					}
					q := question(tc.name, qtype)
					if qtype == dns.TypeSVCB {
						q.SetEdns0(1232, true)
					}
					r := mustExchange(t, network, addr, q)
					raced := tc.owner == "" || forward
					for i, u := range upstreams {
						if saw := u.saw(tc.name); saw && !raced {
							t.Errorf("%s left for upstream %d", tc.name, i)
						}
					}
					if raced {
						testkit.Eventually(t, func() error { // the other may be quicker
							if !upstreams[0].saw(tc.name) {
								return fmt.Errorf("%s is not raced", tc.name)
							}
							return nil
						})
						continue
					}
					if r.Rcode != tc.rcode || len(r.Answer) != 0 || len(r.Ns) != 1 || r.Ns[0].Header().Name != tc.owner || r.Ns[0].Header().Rrtype != dns.TypeSOA || !r.RecursionAvailable {
						t.Errorf("%s %s: got\n%v", network, tc.name, r)
					}
					if (r.IsEdns0() != nil) != (q.IsEdns0() != nil) || r.Question[0].Name != tc.name {
						t.Errorf("%s %s: got\n%v", network, tc.name, r)
					}
				}
			}
		}
	}
}

// R14: names of zones in except are the next plugin's, special or not.
func TestR14Except(t *testing.T) {
	next := plugin.HandlerFunc(func(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
		m := new(dns.Msg)
		m.SetReply(r)
		good(m)
		w.WriteMsg(m)
		return dns.RcodeSuccess, nil
	})
	addr := serve(t, []netip.AddrPort{resolver(t, denies(nxdomain))}, next, func(c *Config) { c.Except = []string{"onion."} })
	if r := mustExchange(t, "udp", addr, question("abc.onion.", dns.TypeA)); len(r.Answer) != 1 {
		t.Errorf("got\n%v", r)
	}
}

// R14: a denial of Apple's names is the reply, be others faster or slower; an error is not.
func TestR14DenialIsFinal(t *testing.T) {
	t.Parallel()
	const late = 50 * time.Millisecond
	says := func(after time.Duration, edit func(*dns.Msg)) netip.AddrPort {
		return resolver(t, func(a asked) { a.reply(after, edit) })
	}
	for what, tc := range map[string]struct {
		upstreams []netip.AddrPort
		name      string
		forward   bool
		rcode     int
		answers   int
	}{
		"denial first":               {upstreams: []netip.AddrPort{says(0, nxdomain), says(late, good)}, rcode: dns.RcodeNameError},
		"denial last":                {upstreams: []netip.AddrPort{says(0, good), says(late, nxdomain)}, rcode: dns.RcodeNameError},
		"no address":                 {upstreams: []netip.AddrPort{says(0, good), says(late, soa)}},
		"no address, without SOA":    {upstreams: []netip.AddrPort{says(0, good), says(late, nil)}},
		"nobody denies":              {upstreams: []netip.AddrPort{says(0, good), says(late, good)}, answers: 1},
		"an error":                   {upstreams: []netip.AddrPort{says(0, good), says(late, code(dns.RcodeServerFailure))}, answers: 1},
		"a refusal":                  {upstreams: []netip.AddrPort{says(late, code(dns.RcodeRefused)), says(0, good)}, answers: 1},
		"a referral":                 {upstreams: []netip.AddrPort{says(late, referral), says(0, good)}, answers: 1},
		"denial and an error":        {upstreams: []netip.AddrPort{says(0, good), says(0, code(dns.RcodeRefused)), says(late, nxdomain)}, rcode: dns.RcodeNameError},
		"forward_special":            {upstreams: []netip.AddrPort{says(0, nxdomain), says(late, good)}, forward: true, answers: 1},
		"another name":               {upstreams: []netip.AddrPort{says(0, nxdomain), says(late, good)}, name: "www.icloud.com.", answers: 1},
		"a name below":               {upstreams: []netip.AddrPort{says(0, nxdomain), says(late, good)}, name: "x.mask.icloud.com.", answers: 1},
		"one that only ends like it": {upstreams: []netip.AddrPort{says(0, nxdomain), says(late, good)}, name: "my-mask.icloud.com.", answers: 1},
	} {
		names := []string{tc.name}
		if tc.name == "" {
			names = []string{"mask.icloud.com.", "Mask-H2.iCloud.com."}
		}
		addr := serve(t, tc.upstreams, nil, func(c *Config) { c.ForwardSpecial = tc.forward })
		for _, name := range names {
			for _, network := range []string{"udp", "tcp"} {
				for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} { // the second after the name was found
					q := question(name, qtype)
					q.SetEdns0(1232, false)
					r := mustExchange(t, network, addr, q)
					if r.Rcode != tc.rcode || len(r.Answer) != tc.answers {
						t.Errorf("%s, %s: got\n%v", what, name, r)
					}
					if tc.answers == 0 && len(r.IsEdns0().Option) > 0 {
						t.Errorf("%s, %s: it is taken for inconclusive:\n%v", what, name, r)
					}
				}
			}
		}
	}
}
