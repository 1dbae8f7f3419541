package pool

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// R21: the end of an alias is asked for where its name belongs: over its own link alone, or
// not over the link that the alias is of.
func TestR23PrivateLinks(t *testing.T) {
	private := func(c *Config) { c.PrivateLinks = true }
	for _, tc := range []struct{ alias, end, want string }{
		{"wiki.public", "host.corp", "NOERROR host.corp 10.1.2.3 by wiki.public 0 host.corp 1"},
		{"wiki.corp", "host.public", "NOERROR host.public 192.0.2.7 by wiki.corp 1 host.public 0"},
		{"wiki.corp", "host.lab", "NOERROR host.lab 10.5.5.5 by wiki.corp 1 host.lab 2"},
	} {
		public := newCompany(t, tc.alias+" CNAME "+tc.end, "host.public A 192.0.2.7", "host.corp A 192.0.2.66", "host.lab A 192.0.2.66")
		corp := newCompany(t, strings.Replace(tc.alias, "wiki.public", "other", 1)+" CNAME "+tc.end, "host.corp A 10.1.2.3")
		lab := newCompany(t, "host.lab A 10.5.5.5")
		corp.Domains, lab.Domains = []string{"corp.example."}, []string{"lab.example."}
		p := chainPool(t, private, public, corp, lab)
		res, _ := p.Ask(ask(t, fqdn(tc.alias)), nil)
		if got := res.text(p); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
		if public.count("host.corp")+public.count("wiki.corp")+public.count("host.lab")+corp.count("host.lab") != 0 {
			t.Errorf("%s: asked were %v, %v", tc.alias, public.asked, corp.asked)
		}
	}
	// The errors of an end are those of its own upstreams, also where the alias has fewer.
	public, corp := newCompany(t, "host.public SERVFAIL"), newCompany(t, "wiki.corp CNAME host.public", "host.public SERVFAIL")
	corp.Domains = []string{"corp.example."}
	p := chainPool(t, private, public, corp)
	res, _ := p.Ask(ask(t, "wiki.corp.example."), nil)
	if res.Verdict != race.Broken || len(res.Errs) != 2 || len(res.Members) != 2 || res.Members[1] != p.Members()[0] || !errors.Is(res.Errs[1], race.ErrServFail) {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
}

// R23, R7: the end is asked of upstreams that come while it is asked for.
func TestR23VPNComes(t *testing.T) {
	for _, clients := range []int{1, 6} {
		first, vpn := newCompany(t, "wiki CNAME host.vpn"), newCompany(t, "host.vpn A 10.8.0.8")
		p := chainPool(t, nil, first)
		release := first.holdBack(t, "host.vpn")
		results := make(chan *Result, clients)
		for range clients {
			q := ask(t, "wiki.example.")
			go func() {
				res, _ := p.Ask(q, nil)
				results <- res
			}()
		}
		for name := range first.seen {
			if name == "host.vpn.example." {
				break
			}
		}
		p.Replace([]server.Server{first.Server, vpn.Server})
		release()
		for range clients {
			if got := (<-results).text(p); got != "NOERROR host.vpn 10.8.0.8 by wiki 0 host.vpn 1" && got != "NOERROR host.vpn 10.8.0.8 by wiki 0 host.vpn -1" {
				t.Errorf("%d clients: %s", clients, got)
			}
		}
	}
}

// AD is set on a chain whose parts are all authentic, and of one upstream.
func TestR23Authentic(t *testing.T) {
	for _, tc := range []struct {
		first, second []string
		want          bool
	}{
		{[]string{"wiki CNAME host.b", "host.b A 10.2.0.20"}, nil, true},
		{[]string{"wiki CNAME x", "x CNAME host.b", "host.b A 10.2.0.20"}, nil, true},
		{[]string{"wiki CNAME host.b"}, []string{"host.b A 10.2.0.20"}, false},
		{[]string{"wiki CNAME x", "host.b A 10.2.0.20"}, []string{"x CNAME host.b"}, false},
	} {
		p := chainPool(t, nil, newCompany(t, tc.first...), newCompany(t, tc.second...))
		res, _ := p.Ask(ask(t, "wiki.example."), nil)
		m := new(dns.Msg)
		if err := m.Unpack(res.Msg); err != nil || res.Verdict != race.Good || m.AuthenticatedData != tc.want || m.Authoritative || !m.RecursionAvailable {
			t.Errorf("%v and %v: %v\n%v", tc.first, tc.second, err, m)
		}
	}
}

// R23, R24: an alias and its end are kept together. They are given when the giver of the end is
// away, though others deny it and the alias is there; not when that giver denies it itself.
func TestR23Kept(t *testing.T) {
	keeps := func(c *Config) { c.Cache = 100 }
	kept := func(p *Pool) bool {
		q := ask(t, "wiki.example.")
		_, _, state := p.Kept(wire.Question(q.msg), cache.Flags(0), time.Now())
		return state == cache.Alive
	}
	for _, tc := range []struct {
		what  string
		after func(p *Pool, alias, end *company)
		want  string
		stale bool
	}{
		{"its giver has left", func(p *Pool, alias, _ *company) { p.Replace([]server.Server{alias.Server}) }, "NOERROR host.b 10.2.0.20 by wiki 0 host.b -1, stale", false},
		{"its giver fails", func(_ *Pool, _, end *company) { end.turnsTo("host.b SERVFAIL") }, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1, stale", false},
		{"its giver has left, and the alias of it fails", func(p *Pool, alias, _ *company) {
			alias.turnsTo("wiki SERVFAIL")
			p.Replace([]server.Server{alias.Server})
		}, "", true},
		{"its giver denies it, and refuses the alias", func(_ *Pool, _, end *company) { end.turnsTo("wiki REFUSED") }, "NXDOMAIN host.b by wiki 0 host.b 0", false},
		{"its giver denies it", func(_ *Pool, _, end *company) { end.turnsTo() }, "NXDOMAIN host.b by wiki 0 host.b 0", false},
		{"the giver of the alias denies that", func(_ *Pool, alias, _ *company) { alias.turnsTo() }, "NXDOMAIN", false},
		{"the giver of the alias fails", func(_ *Pool, alias, _ *company) { alias.turnsTo("wiki SERVFAIL") }, "", true},
		{"another end", func(_ *Pool, alias, _ *company) { alias.turnsTo("wiki CNAME host.c") }, "NOERROR host.c 10.3.0.30 by wiki 0 host.c 1", false},
	} {
		alias, end := newCompany(t, "wiki CNAME host.b"), newCompany(t, "host.b A 10.2.0.20", "host.c A 10.3.0.30")
		p := chainPool(t, keeps, alias, end)
		if res, _ := p.Ask(ask(t, "wiki.example."), nil); res.text(p) != "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1" || !kept(p) {
			t.Fatalf("%s: %s, kept %v", tc.what, res.text(p), kept(p))
		}
		tc.after(p, alias, end)
		res, _ := p.Ask(ask(t, "wiki.example."), nil)
		switch {
		case (res.Stale != nil) != tc.stale:
			t.Errorf("%s: stale %v; %s, %v", tc.what, res.Stale != nil, res.text(p), res.Errs)
		case tc.stale:
			if len(res.Stale.Givers) != 2 {
				t.Errorf("%s: given by %v", tc.what, res.Stale.Givers)
			}
		case res.text(p) != tc.want:
			t.Errorf("%s: %s, want %s", tc.what, res.text(p), tc.want)
		}
	}
}

// R16, R23: what is known of zones says who is asked for an alias, and who for its end.
func TestR23Learn(t *testing.T) {
	var aliases, ends []string
	for i := range 5 {
		aliases = append(aliases, fmt.Sprintf("wiki%d.a CNAME host%d.b", i, i))
		ends = append(ends, fmt.Sprintf("host%d.b A 10.2.0.%d", i, i))
	}
	first, second := newCompany(t, aliases...), newCompany(t, ends...)
	p := chainPool(t, func(c *Config) { c.Learn, c.Hedge = 10*time.Minute, testkit.Patience }, first, second)
	for i := range 5 {
		res, _ := p.Ask(ask(t, fmt.Sprintf("wiki%d.a.example.", i)), nil)
		if want := fmt.Sprintf("NOERROR host%d.b 10.2.0.%d by wiki%d.a 0 host%d.b 1", i, i, i, i); res.text(p) != want {
			t.Errorf("%s, want %s", res.text(p), want)
		}
		if i == 0 { // all were asked; what the other says is learned, too
			testkit.Eventually(t, func() error {
				if second.count("wiki0.a")+first.count("host0.b") != 2 {
					return errors.New("not all were asked")
				}
				return nil
			})
			continue
		}
		if n := second.count(fmt.Sprintf("wiki%d.a", i)); n != 0 {
			t.Errorf("query %d: the giver of ends was asked for the alias", i)
		}
		if n := first.count(fmt.Sprintf("host%d.b", i)); n != 0 {
			t.Errorf("query %d: the giver of aliases was asked for the end", i)
		}
	}
}
