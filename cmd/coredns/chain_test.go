package main

import (
	"fmt"
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

// TestUnderCache puts CoreDNS's cache before dnsmus: what it has is served
// without any upstream, and grows old.
func TestUnderCache(t *testing.T) {
	l := newLab(t, "unbound", "named", "dnsmasq")
	upstreams := l.threeResolvers()
	l.coredns(`.:53 {
		bind 127.0.0.1
		cache
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 . SOA")
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
		upstream.kill()
	}
	l.expect("@127.0.0.1 ldap.corp.example", "SERVFAIL") // was not asked before
	for _, c := range cached {
		l.expect(c.query, c.want)
		l.expect(c.query+" +tcp", c.want)
	}
	l.eventually(func() error {
		r := l.dig(cached[0].query)
		switch ttl, err := r.ttl(); {
		case err != nil:
			return err
		case ttl >= 300:
			return fmt.Errorf("the TTL does not count\n%s", r.text)
		}
		return nil
	})
}

// ttl is that of the first answer.
func (r reply) ttl() (int, error) {
	for _, record := range r.sections["ANSWER"] {
		return strconv.Atoi(strings.Fields(record)[1])
	}
	return 0, fmt.Errorf("no answer\n%s", r.text)
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
