package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// knows is a resolver that has these records for dns.example, and denies other names. A
// type without records is not answered if it is silent, else it is NODATA.
func knows(t *testing.T, asked *atomic.Int32, silent bool, records ...string) server.Server {
	t.Helper()
	return server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		asked.Add(1)
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Name != "dns.example." {
			m.Rcode = dns.RcodeNameError
		}
		for _, r := range records {
			rr, err := dns.NewRR(r)
			if err == nil && (rr.Header().Rrtype == q.Question[0].Qtype || rr.Header().Rrtype == dns.TypeCNAME) {
				m.Answer = append(m.Answer, rr)
			}
		}
		if len(m.Answer) > 0 || !silent {
			w.WriteMsg(m)
		}
	}))
}

// A host is looked up at all upstreams whose own addresses are known, and only there.
func TestLookup(t *testing.T) {
	var asked atomic.Int32
	hosted, err := server.Parse("tls://dns.example")
	if err != nil {
		t.Fatal(err)
	}
	const silentOnOther = "no reply to questions for the other"
	const a, aaaa = "dns.example. 60 IN A 192.0.2.1", "dns.example. 30 IN AAAA 2001:db8::1"
	denier := resolver(t, "")
	for _, tc := range []struct {
		what    string
		servers []server.Server
		host    string
		want    string // addresses in some order, or a part of the error
		ttl     time.Duration
	}{
		{"both", []server.Server{knows(t, &asked, false, a, aaaa)}, "dns.example", "192.0.2.1 2001:db8::1", 30 * time.Second},
		{"one family", []server.Server{knows(t, &asked, false, a)}, "dns.example", "192.0.2.1", time.Minute},
		{"the other", []server.Server{knows(t, &asked, false, aaaa)}, "dns.example", "2001:db8::1", 30 * time.Second},
		{silentOnOther, []server.Server{knows(t, &asked, true, a)}, "dns.example", "192.0.2.1", time.Minute},
		{"one of two knows", []server.Server{denier, hosted, knows(t, &asked, false, a)}, "dns.example", "192.0.2.1", time.Minute},
		{"at the end of a chain", []server.Server{knows(t, &asked, false, "dns.example. 10 IN CNAME x.example.", "x.example. 60 IN A 192.0.2.7")}, "dns.example", "192.0.2.7", 10 * time.Second},
		{"nothing but a chain", []server.Server{knows(t, &asked, false, "dns.example. 10 IN CNAME x.example.")}, "dns.example", "replied NXDOMAIN", 0},
		{"denied", []server.Server{denier}, "dns.example", "replied NXDOMAIN", 0},
		{"of no use", []server.Server{knows(t, &asked, false, "dns.example. 60 IN A 0.0.0.0", "dns.example. 60 IN AAAA ff02::1")}, "dns.example", "no address", 0},
		{"nobody to ask", []server.Server{hosted}, "dns.example", "no upstream that is given by address", 0},
	} {
		p := newPool(t, tc.servers...)
		if tc.what != silentOnOther {
			p.cfg.Second = testkit.Patience
		}
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
		got, ttl, err := p.bootstrap(ctx, tc.host)
		cancel()
		text := fmt.Sprint(err)
		if err == nil {
			text = strings.Trim(fmt.Sprint(got), "[]")
			if len(got) == 2 && got[0].Is6() {
				text = fmt.Sprint(got[1], " ", got[0])
			}
		}
		if !strings.Contains(text, tc.want) || ttl != tc.ttl {
			t.Errorf("%s: %v, %v, %v, want %s, %v", tc.what, got, ttl, err, tc.want, tc.ttl)
		}
	}
}

// Nothing is looked up before there is something to ask.
func TestLookupOpensNothing(t *testing.T) {
	var asked atomic.Int32
	hosted, err := server.Parse("https://dns.example/x")
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, knows(t, &asked, false), hosted)
	if n := len(p.Members()); n != 2 || asked.Load() != 0 {
		t.Errorf("%d members, %d queries", n, asked.Load())
	}
}

func TestMixed(t *testing.T) {
	list := func(n int, prefix string) (all []netip.Addr) {
		for i := range n {
			all = append(all, netip.MustParseAddr(fmt.Sprint(prefix, i)))
		}
		return all
	}
	for _, tc := range []struct {
		six, four int
		want      string
	}{
		{0, 0, "[]"}, {1, 0, "[::0]"}, {1, 1, "[::0 0.0.0.0]"},
		{3, 1, "[::0 0.0.0.0 ::1 ::2]"}, {1, 3, "[::0 0.0.0.0 0.0.0.1 0.0.0.2]"},
	} {
		got := strings.ReplaceAll(fmt.Sprint(mixed(list(tc.six, "::"), list(tc.four, "0.0.0."))), "[:: ", "[::0 ")
		if got = strings.ReplaceAll(got, "[::]", "[::0]"); got != tc.want {
			t.Errorf("%d and %d: %s, want %s", tc.six, tc.four, got, tc.want)
		}
	}
}

// R21: the host of an upstream in a link's domain is looked up over that link alone, and one
// elsewhere everywhere.
func TestR21Lookup(t *testing.T) {
	var a asked
	p := privatePool(t, &a, testkit.Patience)
	for host, want := range map[string][]int{"dns.corp.example": {0}, "dns.public.example": {0, 1}} {
		ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
		defer cancel()
		_, _, err := p.bootstrap(ctx, host)
		if got := a.of(dns.Fqdn(host)); !slices.Equal(got, want) {
			t.Errorf("%s: asked were %v (%v), want %v", host, got, err, want)
		}
	}
}

// R21: where the link's upstreams are all looked up themselves, nobody is shown the name.
func TestR21LookupNobody(t *testing.T) {
	var a asked
	v := option.Default()
	v.PrivateLinks = true
	p := New(Config{Values: v})
	t.Cleanup(p.Close)
	hosted, err := server.Parse("tls://dns.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	hosted.Domains = []string{"corp.example."}
	p.Replace([]server.Server{hosted, a.resolver(t, 1, nil, nil)})
	if _, _, err := p.bootstrap(t.Context(), "dns.corp.example"); !errors.Is(err, errNobody) {
		t.Errorf("%v", err)
	}
	if got := a.of("dns.corp.example."); len(got) > 0 {
		t.Errorf("asked were %v", got)
	}
}
