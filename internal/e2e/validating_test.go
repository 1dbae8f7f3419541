//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// The resolvers of the tests with validating clients. Behind all is named, which knows
// all names: the root and signed.example are signed, open.example is not.
const (
	allKnowing   = "127.0.0.12"
	unsigning    = "127.0.0.21" // replies at once, and strips what is of DNSSEC
	signing      = "127.0.0.22" // replies as the allKnowing does, after a while
	deniesAll    = "127.0.0.23" // denies all names, without signatures
	validUnbound = "127.0.0.31"
	validDnsmasq = "127.0.0.32"
)

// away is how long the resolver that signs takes.
const away = 40 * time.Millisecond

var signedZones = map[string]string{
	"signed.example": `$TTL 300
@	SOA	ns.example. hostmaster.example. 1 3600 600 86400 60
@	NS	ns.example.
www	A	192.0.2.1
www	AAAA	2001:db8::1
mail	A	192.0.2.2
mail	MX	10 mail
alias	CNAME	www
out	CNAME	www.open.example.
*.wild	A	192.0.2.3
txt	TXT	"signed"
`,
	".": `$TTL 300
@	SOA	ns.example. hostmaster.example. 1 3600 600 86400 60
@	NS	ns.example.
ns.example.	A	127.0.0.12
host.example.	A	192.0.2.10
signed.example.	NS	ns.example.
open.example.	NS	ns.example.
$INCLUDE dsset-signed.example.
`,
	"open.example": `$TTL 300
@	SOA	ns.example. hostmaster.example. 1 3600 600 86400 60
@	NS	ns.example.
www	A	192.0.2.20
txt	TXT	"not signed"
*.wild	A	192.0.2.21
`,
}

// validated are names and what a validating client must make of them; "ad" says that it
// has validated the answer.
var validated = []struct{ query, want string }{
	{"www.signed.example A", "ad NOERROR 192.0.2.1"},
	{"www.signed.example AAAA", "ad NOERROR 2001:db8::1"},
	{"mail.signed.example A", "ad NOERROR 192.0.2.2"},
	{"mail.signed.example MX", "ad NOERROR 10 mail.signed.example."},
	{"txt.signed.example TXT", `ad NOERROR "signed"`},
	{"alias.signed.example A", "ad NOERROR 192.0.2.1 www.signed.example."},
	{"a.wild.signed.example A", "ad NOERROR 192.0.2.3"},
	{"b.wild.signed.example A", "ad NOERROR 192.0.2.3"},
	{"signed.example SOA", "ad NOERROR ns.example. hostmaster.example. 1 3600 600 86400 60"},
	{"signed.example NS", "ad NOERROR ns.example."},
	{"host.example A", "ad NOERROR 192.0.2.10"},
	{"out.signed.example A", "NOERROR 192.0.2.20 www.open.example."},
	{"www.signed.example TXT", "ad NOERROR"},
	{"a.wild.signed.example TXT", "ad NOERROR"},
	{"txt.signed.example A", "ad NOERROR"},
	{"nowhere.signed.example A", "ad NXDOMAIN"},
	{"a.nowhere.signed.example AAAA", "ad NXDOMAIN"},
	{"nowhere A", "ad NXDOMAIN"},
	{"www.open.example A", "NOERROR 192.0.2.20"},
	{"a.wild.open.example A", "NOERROR 192.0.2.21"},
	{"www.open.example AAAA", "NOERROR"},
	{"nowhere.open.example A", "NXDOMAIN"},
}

// signedLab is a lab with these resolvers, and the root's key.
func signedLab(t *testing.T) (l *lab, anchor *dns.DNSKEY) {
	t.Helper()
	l = newLab(t, "named", "unbound", "dnsmasq", "dnssec-keygen", "dnssec-signzone")
	l.run("ip", "addr", "add", allKnowing+"/8", "dev", "lo")
	conf := `options {
	directory ".";
	pid-file none;
	session-keyfile none;
	listen-on { ` + allKnowing + `; };
	listen-on-v6 { none; };
	recursion yes;
	dnssec-validation no;
	empty-zones-enable no;
};
controls { };
`
	for _, zone := range []string{"open.example", "signed.example", "."} { // the child's keys are in its parent
		file := "zone" + strings.TrimSuffix("."+zone, ".")
		l.write(file, signedZones[zone])
		if zone != "open.example" {
			l.run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", zone)
			sign := []string{"dnssec-signzone", "-S", "-z", "-o", zone, "-f", file + ".signed"}
			if zone != "." {
				sign = append(sign, "-3", "-")
			}
			l.run(append(sign, file)...)
			file += ".signed"
		}
		conf += fmt.Sprintf("zone %q { type primary; file %q; };\n", zone, file)
	}
	l.start("named", "-g", "-c", l.write("named.conf", conf)).awaits("@" + allKnowing + " +norecurse . SOA")

	keys, err := filepath.Glob(filepath.Join(l.dir, "K.+*.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range keys {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		rr, err := dns.NewRR(string(text[strings.LastIndex(string(text), "\n.")+1:]))
		if err != nil {
			t.Fatal(err)
		}
		if key := rr.(*dns.DNSKEY); key.Flags&dns.SEP != 0 {
			anchor = key
		}
	}
	relay := func(after time.Duration, edit func(*dns.Msg)) dns.HandlerFunc {
		return func(w dns.ResponseWriter, q *dns.Msg) {
			time.Sleep(after)
			r, err := l.whole(allKnowing, q)
			if err != nil {
				return // the test is over
			}
			r.Authoritative, r.RecursionAvailable = false, true
			edit(r)
			size := dns.MaxMsgSize
			if w.LocalAddr().Network() == "udp" {
				size = dns.MinMsgSize
				if opt := q.IsEdns0(); opt != nil {
					size = int(opt.UDPSize())
				}
			}
			r.Truncate(size)
			w.WriteMsg(r)
		}
	}
	l.fake(unsigning, relay(0, func(m *dns.Msg) {
		for _, section := range []*[]dns.RR{&m.Answer, &m.Ns, &m.Extra} {
			*section = slices.DeleteFunc(*section, func(rr dns.RR) bool {
				switch rr.Header().Rrtype {
				case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3:
					return true
				}
				return false
			})
		}
	}))
	l.fake(signing, relay(away, func(*dns.Msg) {}))
	l.fake(deniesAll, func(w dns.ResponseWriter, q *dns.Msg) {
		r := new(dns.Msg)
		r.SetRcode(q, dns.RcodeNameError)
		r.RecursionAvailable = true
		r.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: ".", Mbox: "."}}
		w.WriteMsg(r)
	})
	return l, anchor
}

// validators starts an unbound and a dnsmasq that validate what addr says, and returns
// their addresses.
func (l *lab) validators(anchor *dns.DNSKEY, addr, port string) []string {
	l.Helper()
	l.unbound(validUnbound, `module-config: "validator iterator"`, "val-bogus-ttl: 1", "trust-anchor: \""+strings.ReplaceAll(anchor.String(), "\t", " ")+"\"",
		"forward-zone:", "name: .", "forward-addr: "+addr+"@"+port)
	ds := anchor.ToDS(dns.SHA256)
	l.dnsmasq(validDnsmasq, "53", "--dnssec", "--server="+addr+"#"+port,
		fmt.Sprintf("--trust-anchor=.,%d,%d,%d,%s", ds.KeyTag, ds.Algorithm, ds.DigestType, ds.Digest))
	for _, front := range []string{validUnbound, validDnsmasq} {
		l.eventually(func() error {
			if r := l.dig("+time=1 @" + front + " version.bind TXT CH"); r.status == "" {
				return fmt.Errorf("%s does not run yet", front)
			}
			return nil
		})
	}
	return []string{validUnbound, validDnsmasq}
}

// seen is a reply as in validated.
func (r reply) seen() string {
	if slices.Contains(r.flags, "ad") {
		return "ad " + r.String()
	}
	return r.String()
}

// R19: validating clients get what they need, of whatever resolver that does not do
// DNSSEC stands beside one that does.
func TestR19Validating(t *testing.T) {
	t.Parallel()
	for what, upstreams := range map[string]string{
		"one that strips signatures": unsigning + " " + signing,
		"one that denies all":        deniesAll + " " + signing,
		"both":                       deniesAll + " " + unsigning + " " + signing,
		"both, later in the list":    signing + " " + unsigning + " " + deniesAll,
	} {
		t.Run(what, func(t *testing.T) {
			l, anchor := signedLab(t)
			l.coredns(`.:5553 {
				bind 127.0.0.1
				dnsmus ` + upstreams + `
				errors
			}
			.:5554 {
				bind 127.0.0.1
				whoami
			}`).awaits("@127.0.0.1 -p 5554 ready.example")
			for _, front := range l.validators(anchor, "127.0.0.1", "5553") {
				first := 0
				for _, v := range validated {
					query := "@" + front + " +adflag " + v.query
					if l.ask(query).seen() == v.want {
						first++
						continue
					}
					// On a machine that is slow just then, a reply may come later than it is waited for.
					l.eventually(func() error {
						if r := l.ask(query); r.seen() != v.want {
							return fmt.Errorf("dig %s: %s, want %s\n%s", query, r.seen(), v.want, r.text)
						}
						return nil
					})
				}
				t.Logf("%s: %d of %d at the first try", front, first, len(validated))
			}
		})
	}
}
