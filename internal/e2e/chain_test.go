//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestBehindDnsmasq asks a dnsmasq whose one upstream is dnsmus: so a dnsmasq
// that is there already gets many resolvers.
func TestBehindDnsmasq(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	l.threeResolvers()
	l.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 -p 5553 . SOA")
	l.dnsmasq("127.0.0.1", "53", "--server=127.0.0.1#5553").awaits("@127.0.0.1 . SOA")

	for range 2 { // the second time from dnsmasq's cache
		for _, transport := range []string{"+notcp", "+tcp"} {
			for query, want := range map[string]string{
				"wiki.corp.example":        "NOERROR 10.1.0.10",
				"git.corp.example":         "NOERROR 10.2.0.20",
				"db.corp.example":          "NOERROR 10.3.0.30",
				"git.corp.example AAAA":    "NOERROR fd00:2::20",
				"wiki.corp.example AAAA":   "NOERROR",
				"db.corp.example AAAA":     "NOERROR",
				"mx.truth.example MX":      "NOERROR 10 a.truth.example. 20 ldap.corp.example.",
				"chain.truth.example":      "NOERROR 192.0.2.1 192.0.2.2 a.truth.example. chain2.truth.example. chain3.truth.example.",
				"nobody.corp.example":      "NXDOMAIN",
				"nobody.corp.example AAAA": "NXDOMAIN",
				"-x 10.1.0.10":             "NOERROR wiki.corp.example.",
			} {
				l.expect("@127.0.0.1 "+transport+" "+query, want)
			}
		}
	}
}

const underCache = `.:53 {
	bind 127.0.0.1
	cache
	dnsmus resolv.conf.dnsmus
	errors
}`

// TestUnderCache puts CoreDNS's cache before dnsmus: what it has is served
// without any upstream, and grows old.
func TestUnderCache(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	upstreams := l.threeResolvers()
	l.coredns(strings.Replace(underCache, "dnsmus\n", "dnsmus {\n negative_ttl 1h\n}\n", 1)).awaits("@127.0.0.1 . SOA")
	cached := []struct{ query, want string }{
		{"@127.0.0.1 wiki.corp.example", "NOERROR 10.1.0.10"},
		{"@127.0.0.1 git.corp.example", "NOERROR 10.2.0.20"},
		{"@127.0.0.1 db.corp.example", "NOERROR 10.3.0.30"},
		{"@127.0.0.1 wiki.corp.example AAAA", "NOERROR"},
		{"@127.0.0.1 nobody.corp.example", "NXDOMAIN"},
	}
	for _, c := range cached {
		l.expect(c.query, c.want)
	}

	for _, upstream := range upstreams {
		upstream.Kill()
	}
	l.expect("@127.0.0.1 ldap.corp.example", "SERVFAIL") // was not asked before
	for _, c := range cached {
		l.expect(c.query, c.want)
		l.expect(c.query+" +tcp", c.want)
	}
	l.eventually(func() error {
		if r := l.ask(cached[0].query); r.ttl() >= 300 {
			return fmt.Errorf("the TTL does not count\n%s", r.text)
		}
		return nil
	})
}

// TestDenialIsForgotten shows that the cache does not keep for an hour what the
// other resolvers say while the one that knows the name is away.
func TestDenialIsForgotten(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	upstreams := l.threeResolvers()
	l.coredns(underCache).awaits("@127.0.0.1 . SOA")
	const query = "@127.0.0.1 git.corp.example"

	upstreams[1].Kill()
	l.expect("@127.0.0.11 git.corp.example", "NXDOMAIN")
	if ttl := l.ask("@127.0.0.11 git.corp.example").ttl(); ttl != 3600 {
		t.Fatalf("the denial's TTL is %d, want an hour", ttl)
	}
	l.becomes(query, "NXDOMAIN")
	l.beta()
	l.becomes(query, "NOERROR 10.2.0.20")

	// Nor is a denial by all of them.
	l.expect("@127.0.0.1 nobody.corp.example", "NXDOMAIN")
	if ttl := l.ask("@127.0.0.1 nobody.corp.example").ttl(); ttl > 5 {
		t.Errorf("the TTL of a denial by all is %d", ttl)
	}
}

// ttl is that of the first record, be it an answer or the SOA of a denial, and
// zero if there is none.
func (r reply) ttl() int {
	for _, record := range slices.Concat(r.sections["ANSWER"], r.sections["AUTHORITY"]) {
		ttl, _ := strconv.Atoi(strings.Fields(record)[1])
		return ttl
	}
	return 0
}

// TestReload gives dnsmus another list while queries are under way.
func TestReload(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	l.threeResolvers()
	l.resolvConf("127.0.0.11")
	p := l.coredns(`.:53 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 wiki.corp.example")
	l.expect("@127.0.0.1 db.corp.example", "NXDOMAIN")
	l.whileAsking(func(int) (query, want string) {
		return "wiki.corp.example", "NOERROR 10.1.0.10"
	}, func() {
		l.resolvConf("127.0.0.11", "127.0.0.13")
		p.reloads()
		l.becomes("@127.0.0.1 db.corp.example", "NOERROR 10.3.0.30")
		l.resolvConf("127.0.0.11", "127.0.0.12")
		p.reloads()
		l.becomes("@127.0.0.1 git.corp.example", "NOERROR 10.2.0.20")
		l.becomes("@127.0.0.1 db.corp.example", "NXDOMAIN")
		// A list that cannot be used changes nothing.
		l.write("resolv.conf.dnsmus", "nameserver junk\n")
		p.reloads()
		l.eventually(func() error {
			if !strings.Contains(p.Printed(), "no usable nameserver") {
				return errors.New("the log does not say that the list cannot be used")
			}
			return nil
		})
		l.expect("@127.0.0.1 git.corp.example", "NOERROR 10.2.0.20")
	})
}

// TestWhoAnswered logs which upstream's reply was given, as the reference says.
func TestWhoAnswered(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	l.threeResolvers()
	p := l.coredns(`. {
		bind 127.0.0.123
		metadata
		log . "{type} {name} {rcode} by {/dnsmus/upstream}: {/dnsmus/verdict}"
		dnsmus resolv.conf.dnsmus
	}`).awaits("@127.0.0.123 . SOA")
	for query, want := range map[string]string{
		"wiki.corp.example A":    "A wiki.corp.example. NOERROR by 127.0.0.11:53: good",
		"git.corp.example A":     "A git.corp.example. NOERROR by 127.0.0.12:53: good",
		"db.corp.example A":      "A db.corp.example. NOERROR by 127.0.0.13:53: good",
		"wiki.corp.example AAAA": "AAAA wiki.corp.example. NOERROR by 127.0.0.11:53: nodata",
		"db.corp.example AAAA":   "AAAA db.corp.example. NOERROR by 127.0.0.13:53: nodata",
		"nobody.example A":       "A nobody.example. NXDOMAIN by 127.0.0.11:53: nxdomain",
	} {
		l.ask("@127.0.0.123 " + query)
		l.eventually(func() error {
			if !strings.Contains(p.Printed(), want) {
				return fmt.Errorf("dig %s: the log has no %q", query, want)
			}
			return nil
		})
	}
}

// TestOnlySomeZones gives dnsmus some names and the forward plugin others, by
// server blocks and by the option except. Each server answers all names, with
// an address of its own that shows who was asked.
func TestOnlySomeZones(t *testing.T) {
	const (
		dnsmus  = "NOERROR 10.0.0.11"
		forward = "NOERROR 10.0.0.20"
	)
	l := newLab(t, "dnsmasq")
	l.resolvConf("127.0.0.11")
	l.dnsmasq("127.0.0.11", "53", "--address=/#/10.0.0.11").awaits("@127.0.0.11 example")
	l.dnsmasq("127.0.0.20", "53", "--address=/#/10.0.0.20").awaits("@127.0.0.20 example")
	l.coredns(`
		corp.example {
			bind 127.0.0.1
			dnsmus resolv.conf.dnsmus
			errors
		}
		. {
			bind 127.0.0.1
			forward . 127.0.0.20
			errors
		}
		.:5553 {
			bind 127.0.0.1
			dnsmus resolv.conf.dnsmus {
				except lab.example 2.0.192.in-addr.arpa
			}
			forward . 127.0.0.20
			errors
		}`).awaits("@127.0.0.1 example")

	for _, test := range []struct{ name, want string }{
		{"corp.example", dnsmus},
		{"wiki.corp.example", dnsmus},
		{"WIKI.Corp.Example", dnsmus},
		{"a.wiki.corp.example", dnsmus},
		{"example", forward},
		{"notcorp.example", forward},
		{"corp.example.example", forward},

		{"-p 5553 lab.example", forward},
		{"-p 5553 host.lab.example", forward},
		{"-p 5553 HOST.Lab.Example", forward},
		{"-p 5553 1.2.0.192.in-addr.arpa", forward},
		{"-p 5553 example", dnsmus},
		{"-p 5553 notlab.example", dnsmus},
		{"-p 5553 lab.example.example", dnsmus},
		{"-p 5553 1.3.0.192.in-addr.arpa", dnsmus},
	} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			l.expect("@127.0.0.1 "+transport+" "+test.name, test.want)
		}
	}
}

// R23: one company's resolver, unbound, has an alias of a host that only another's, dnsmasq,
// knows. C libraries, which do not look up the second name, get its address from dnsmus, and
// so do caches in front of it, also such that follow aliases themselves and validate.
func TestAliasAcrossCompanies(t *testing.T) {
	l := newLab(t, "getent", "unbound", "dnsmasq")
	l.systemResolver("127.0.0.123", "")
	const soa = `local-data: ". 3600 SOA ns.a.example. hostmaster.a.example. 1 3600 600 86400 3600"`
	l.unbound("127.0.0.11", `local-zone: "." static`, soa,
		`local-data: "wiki.a.example. 300 CNAME host.b.example."`,
		`local-data: "gone.a.example. 300 CNAME none.b.example."`,
		`local-data: "round.a.example. 300 CNAME about.a.example."`,
		`local-data: "about.a.example. 300 CNAME round.a.example."`,
	).awaits("@127.0.0.11 wiki.a.example")
	l.dnsmasq("127.0.0.12", "53", "--host-record=host.b.example,10.2.0.20,300", "--address=/#/").awaits("@127.0.0.12 host.b.example")
	l.resolvConf("127.0.0.11", "127.0.0.12")
	l.coredns(`.:53 {
		bind 127.0.0.123
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.123 . SOA")
	l.dnsmasq("127.0.0.124", "53", "--server=127.0.0.123").awaits("@127.0.0.124 . SOA")
	l.unbound("127.0.0.125", "forward-zone:", "name: .", "forward-addr: 127.0.0.123").awaits("@127.0.0.125 . SOA")
	for library, addresses := range l.libraries() {
		for range 3 {
			if got := addresses("wiki.a.example"); got != "10.2.0.20" {
				t.Errorf("%s: got %q", library, got)
			}
		}
	}
	for _, front := range []string{"@127.0.0.123", "@127.0.0.123 +tcp", "@127.0.0.124", "@127.0.0.125"} {
		for query, want := range map[string]string{
			"wiki.a.example":       "NOERROR 10.2.0.20 host.b.example.",
			"wiki.a.example AAAA":  "NOERROR host.b.example.",
			"gone.a.example":       "NXDOMAIN none.b.example.",
			"round.a.example":      "SERVFAIL",
			"wiki.a.example CNAME": "NOERROR host.b.example.",
		} {
			l.expect(front+" "+query, want)
		}
	}
	status, out, problems := l.explain("wiki.a.example -f resolv.conf.dnsmus")
	if want := "wiki.a.example. by 127.0.0.11:53, host.b.example. by 127.0.0.12:53:"; status != 0 || !strings.Contains(out, want) || problems != "" {
		t.Errorf("explain: status %d, %s%s", status, out, problems)
	}
	status, out, _ = l.explain("round.a.example -f resolv.conf.dnsmus")
	if want := "the end of an alias was not found"; status != 3 || !strings.Contains(out, want) {
		t.Errorf("explain: status %d, %s", status, out)
	}
}
