//go:build linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// everything is a resolver that knows everything, as one with a designation does, and
// writes down what it is asked.
type everything struct {
	mu    sync.Mutex
	asked []string
}

func (e *everything) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	name := dns.CanonicalName(q.Question[0].Name)
	e.mu.Lock()
	e.asked = append(e.asked, name)
	e.mu.Unlock()
	r := new(dns.Msg)
	r.SetReply(q)
	r.RecursionAvailable = true
	var err error
	r.Answer = make([]dns.RR, 1)
	switch q.Question[0].Qtype {
	case dns.TypeSVCB:
		r.Answer[0], err = dns.NewRR(name + " 60 IN SVCB 1 dns.public.example. alpn=dot")
	case dns.TypeAAAA:
		r.Answer[0], err = dns.NewRR(name + " 60 IN AAAA 2001:db8::99")
	case dns.TypePTR:
		r.Answer[0], err = dns.NewRR(name + " 60 IN PTR host.public.example.")
	default:
		r.Answer[0], err = dns.NewRR(name + " 60 IN A 192.0.2.99")
	}
	if err != nil {
		panic(err)
	}
	r.SetEdns0(1232, false) // wanted or not
	w.WriteMsg(r)
}

// R14: what a public resolver sees of the names that concern nobody outside, behind the
// Corefile of the packages: nothing, besides the server's own questions; and what of forward_special: all but localhost.
func TestR14NeverLeaves(t *testing.T) {
	l := newLab(t, "dnsmasq")
	public := new(everything)
	l.fake("127.0.0.21", public.ServeDNS)
	l.dnsmasq("127.0.0.13", "53", "--address=/#/").awaits("@127.0.0.13 -c CH -t TXT version.bind")
	l.resolvConf("127.0.0.21", "127.0.0.13")
	ours := l.packagedCorefile()
	lifted := strings.NewReplacer(".:53", ".:5353", " cache\n", " cache\n forward_special\n").Replace(ours)
	l.coredns(ours + lifted).awaits("@127.0.0.123 ready.example")

	names := []struct{ query, want, lifted string }{
		{"_dns.resolver.arpa SVCB", "NOERROR", `NOERROR 1 dns.public.example. alpn="dot"`},
		{"resolver.arpa SVCB", "NOERROR", `NOERROR 1 dns.public.example. alpn="dot"`},
		{"use-application-dns.net", "NXDOMAIN", "NOERROR 192.0.2.99"},
		{"use-application-dns.net AAAA", "NXDOMAIN", "NOERROR 2001:db8::99"},
		{"hidden.onion", "NXDOMAIN", "NOERROR 192.0.2.99"},
		{"Hidden.ONION AAAA", "NXDOMAIN", "NOERROR 2001:db8::99"},
		{"nothing.invalid", "NXDOMAIN", "NOERROR 192.0.2.99"},
		{"localhost", "NOERROR 127.0.0.1", "NOERROR 127.0.0.1"},
		{"localhost AAAA", "NOERROR ::1", "NOERROR ::1"},
		{"app.localhost", "NOERROR 127.0.0.1", "NOERROR 127.0.0.1"},
		{"-x 127.0.0.1", "NOERROR localhost.", "NOERROR localhost."},
		{"mask.icloud.com", "NXDOMAIN", "NOERROR 192.0.2.99"},
		{"mask-h2.icloud.com AAAA", "NXDOMAIN", "NOERROR 2001:db8::99"},
		{"www.icloud.com", "NOERROR 192.0.2.99", "NOERROR 192.0.2.99"},
	}
	for _, tc := range names {
		for _, transport := range []string{"+notcp", "+tcp", "+noedns", "+dnssec"} {
			l.expect("@127.0.0.123 "+transport+" "+tc.query, tc.want)
		}
	}
	public.mu.Lock()
	asked := slices.Compact(slices.Sorted(slices.Values(public.asked)))
	public.mu.Unlock()
	for _, name := range asked {
		if !slices.Contains([]string{".", "ipv4only.arpa.", "ready.example.", "mask.icloud.com.", "mask-h2.icloud.com.", "www.icloud.com."}, name) {
			t.Errorf("%s has left", name)
		}
	}
	for _, tc := range names {
		l.expect("@127.0.0.123 -p 5353 "+tc.query, tc.lifted)
	}
}

// R13: a client that did not ask with EDNS gets none, though the upstream adds it.
func TestR13NoOPTUnasked(t *testing.T) {
	l := newLab(t)
	l.fake("127.0.0.21", new(everything).ServeDNS)
	l.coredns(".:53 {\n bind 127.0.0.1\n dnsmus 127.0.0.21\n}").awaits("@127.0.0.1 ready.example")
	for _, transport := range []string{"+notcp", "+tcp"} {
		if r := l.dig("@127.0.0.1 +noedns host.example " + transport); r.String() != "NOERROR 192.0.2.99" || len(r.options) > 0 {
			t.Errorf("got\n%s", r.text)
		}
		if r := l.dig("@127.0.0.1 +edns host.example " + transport); r.String() != "NOERROR 192.0.2.99" || len(r.options) == 0 {
			t.Errorf("got\n%s", r.text)
		}
	}
}

// With the packages' Corefile a name that was known stays known while its VPN is away,
// though another resolver denies it, and is asked for again when it is back.
func TestPackagedCache(t *testing.T) {
	l := newLab(t, "dnsmasq", "unbound")
	company := func(addr string) *process {
		return l.dnsmasq("127.0.0.13", "53", "--host-record=git.corp.example,"+addr+",5", "--address=/corp.example/").awaits("@127.0.0.13 git.corp.example")
	}
	vpn := company("10.3.0.30")
	l.public()
	l.resolvConf("127.0.0.11", "127.0.0.13")
	l.coredns(l.packagedCorefile()).awaits("@127.0.0.123 git.corp.example")
	vpn.Kill()
	const query = "@127.0.0.123 git.corp.example"
	stale := 0
	l.eventually(func() error {
		r := l.dig(query)
		if r.String() != "NOERROR 10.3.0.30" {
			t.Fatalf("it is lost:\n%s", r.text)
		}
		if r.ttl() > 5 { // which says that it is stale (RFC 8767, section 4)
			stale++
		}
		if stale < 5 {
			return fmt.Errorf("its life is not over yet\n%s", r.text)
		}
		return nil
	})
	l.expect("@127.0.0.123 never.corp.example", "NXDOMAIN")
	company("10.3.0.31")
	l.becomes(query, "NOERROR 10.3.0.31")
}
