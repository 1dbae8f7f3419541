//go:build linux

package e2e

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The servers of TestTruth. Those that lose deny or refuse all names, in ways
// that rank below all that the others say.
const (
	denying    = "127.0.0.11"
	primary    = "127.0.0.12" // named with all zones
	refusing   = "127.0.0.13"
	validating = "127.0.0.14" // for the signed zone, of which it has a trust anchor
	distrusts  = "127.0.0.15" // the same with a wrong trust anchor

	beforePrimary    = "127.0.0.1 -p 5312" // dnsmus before those that lose and the primary
	beforeRefusers   = "127.0.0.1 -p 5313" // the primary is the first of two
	beforeValidating = "127.0.0.1 -p 5314"
	beforeDistrusts  = "127.0.0.1 -p 5315"
)

// TestTruth compares what a client gets through dnsmus with what it gets from the
// upstream that wins, asked directly. Where the query is not a plain one, it is dig.
func TestTruth(t *testing.T) {
	l := newLab(t, "unbound", "named")
	l.truthServers()

	truths := []struct {
		server, dnsmus string
		options        string // for all queries, for a fair comparison
		queries        []string
	}{
		{primary, beforePrimary, "", []string{
			"a.truth.example A",
			"A.Truth.eXample A",
			"a.truth.example AAAA",
			"a.truth.example ANY",
			"mx.truth.example MX",
			"chain.truth.example A",
			"chain.truth.example CNAME",
			"chain.truth.example TXT", // nothing at the chain's end
			"dangling.truth.example A",
			"x.dname.truth.example A",
			"a.dname.truth.example AAAA",
			"_ldap._tcp.truth.example SRV",
			"caa.truth.example CAA",
			"https.truth.example HTTPS",
			"naptr.truth.example NAPTR",
			"loc.truth.example LOC",
			"hinfo.truth.example HINFO",
			"odd.truth.example TYPE65280",
			"empty.truth.example TYPE65281",
			"*.wild.truth.example TXT",
			"x.wild.truth.example TXT",
			"x.y.wild.truth.example TXT",
			`sp\032ace\.dot\\\000.truth.example A`,
			"bytes.truth.example TXT",
			"middle.truth.example TXT", // more than 1,232 bytes
			"many.truth.example AAAA",  // 1,000 records
			"huge.truth.example TXT",   // next to 64 KiB
			"a.truth.example MX",       // NODATA
			"truth.example A",          // NODATA: there are names below
			"nowhere.truth.example A",  // NXDOMAIN
			"x.child.truth.example A +norecurse",
			". NS",
			". SOA",
			"nowhere TYPE65280",

			"a.truth.example A +norecurse",
			"a.truth.example A +cdflag",
			"a.truth.example A +noadflag",
			"a.truth.example A +adflag",
			"a.truth.example A +aaflag",
			"a.truth.example A +zflag",
			"a.truth.example A +nsid",
			"a.truth.example A +cookie",
			"a.truth.example A +cookie=0123456789abcdef",
			"a.truth.example A +subnet=192.0.2.0/24",
			"a.truth.example A +subnet=2001:db8::/56",
			"a.truth.example A +subnet=0",
			"a.truth.example A +nsid +subnet=192.0.2.0/24 +dnssec +cdflag +cookie",
			"a.truth.example A +padding=128",
			"a.truth.example A +keepalive",
			"a.truth.example A +expire",
			"a.truth.example A +ednsopt=65001:cafe",
			"a.truth.example A +ednsflags=0x4000",
			"a.truth.example A +edns=1", // dig asks again with the version that it is told
			"nowhere.truth.example A +nsid +subnet=192.0.2.0/24",

			"signed.example DNSKEY +dnssec",
			"signed.example SOA +dnssec",
			"signed.example RRSIG +dnssec",
			"signed.example DS +dnssec",
			"www.signed.example A +dnssec",
			"www.signed.example A +dnssec +cdflag",
			"www.signed.example A",
			"alias.signed.example A +dnssec",
			"x.wild.signed.example A +dnssec",
			"www.signed.example AAAA +dnssec",  // NODATA, proven
			"nowhere.signed.example A +dnssec", // NXDOMAIN, proven
			"\\000\\001.nowhere.truth.example A",
		}},
		{primary, beforeRefusers, "", []string{
			"secret.example SOA", // REFUSED, with an extended error
		}},
		// A cache counts its TTLs down while it is being compared.
		{validating, beforeValidating, "+nottlid", []string{
			"www.signed.example A", // AD
			"www.signed.example A +noadflag",
			"www.signed.example A +dnssec",
			"www.signed.example A +dnssec +cdflag",
			"www.signed.example AAAA +dnssec",
			"nowhere.signed.example A +dnssec",
			"signed.example DNSKEY +dnssec",
			"a.truth.example A", // not signed
		}},
		{distrusts, beforeDistrusts, "+nottlid", []string{
			"www.signed.example A", // SERVFAIL, with an extended error
			"www.signed.example A +cdflag",
		}},
	}
	transports := []string{
		"+notcp",
		"+notcp +bufsize=512",
		"+notcp +bufsize=1232",
		"+notcp +bufsize=4096",
		"+notcp +noedns",
		"+tcp",
		"+tcp +noedns",
	}
	each := testkit.Times(2, len(transports)) // transports of a query
	for n, transport := range transports {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			l := l.in(t)
			for _, truth := range truths {
				for m, query := range truth.queries {
					if (m+n)%len(transports) >= each {
						continue
					}
					l.compare(transport+" "+truth.options+" "+query, truth.server, truth.dnsmus)
				}
			}
		})
	}
}

// compare asks both servers the same. When the replies differ it asks the first
// one again, to be sure that it is not that one which has changed, as a signed
// zone does now and then.
func (l *lab) compare(query, server, dnsmus string) {
	l.Helper()
	l.eventually(func() error {
		want := l.ask("@" + server + " " + query)
		got := l.ask("@" + dnsmus + " " + query)
		if want.status == "" {
			return fmt.Errorf("dig @%s %s: no reply", server, query)
		}
		if reflect.DeepEqual(got.content(), want.content()) {
			return nil
		}
		if again := l.ask("@" + server + " " + query); !reflect.DeepEqual(again.content(), want.content()) {
			return fmt.Errorf("dig @%s %s: changes\n%s\n%s", server, query, want.text, again.text)
		}
		l.Errorf("dig @%s %s:\n%.3000s\nwant\n%.3000s", dnsmus, query, got.text, want.text)
		return nil
	})
}

var (
	udpSize  = regexp.MustCompile(` udp: \d+$`)
	ofOneHop = regexp.MustCompile(`^; (COOKIE|TCP KEEPALIVE): `)
)

// content is all of a reply that must come through unchanged. What concerns one
// hop alone is left out: cookies, how long a connection is kept, the size of UDP
// packets.
func (r reply) content() map[string][]string {
	c := map[string][]string{"status": {r.status}, "flags": r.flags}
	for _, option := range r.options {
		if !ofOneHop.MatchString(option) {
			c["EDNS"] = append(c["EDNS"], udpSize.ReplaceAllString(option, ""))
		}
	}
	for name, records := range r.sections {
		c[name] = records
	}
	return c
}

// truthServers starts the servers of TestTruth, and dnsmus before them.
func (l *lab) truthServers() {
	l.Helper()
	l.unbound(denying, `local-zone: "." always_nxdomain`)
	l.unbound(refusing, `local-zone: "." always_refuse`)
	l.beta()
	l.eventually(func() error { // it takes the zone into service, then signs it
		if r := l.ask("@" + primary + " +dnssec www.signed.example"); len(r.sections["ANSWER"]) != 2 {
			return fmt.Errorf("not signed\n%s", r.text)
		}
		return nil
	})
	keys := l.ask("@" + primary + " signed.example DNSKEY").sections["ANSWER"]
	stub := func(anchor string) []string {
		return []string{
			"ede: yes",
			fmt.Sprintf(`trust-anchor: "%s"`, anchor),
			"stub-zone:", "name: .", "stub-addr: " + primary,
		}
	}
	l.unbound(validating, stub(keys[0])...).awaits("@" + validating + " www.signed.example")
	l.unbound(distrusts, stub("signed.example. DS 1 13 2 "+strings.Repeat("00", 32))...).awaits("@" + distrusts + " a.truth.example")

	// Denials go out with the TTLs that they have, unless they live longer.
	l.coredns(fmt.Sprintf(`
		.:5312 {
			bind 127.0.0.1
			dnsmus %[1]s %[3]s {
				negative_ttl 1h
			}
			errors
		}
		.:5313 {
			bind 127.0.0.1
			dnsmus %[3]s %[2]s {
				negative_ttl 1h
			}
			errors
		}
		.:5314 {
			bind 127.0.0.1
			dnsmus %[1]s %[4]s {
				negative_ttl 1h
				trust_ad
			}
			errors
		}
		.:5315 {
			bind 127.0.0.1
			dnsmus %[5]s %[2]s {
				negative_ttl 1h
			}
			errors
		}`, denying, refusing, primary, validating, distrusts)).awaits("@" + beforePrimary + " . SOA")
}
