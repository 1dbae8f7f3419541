//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// libraries are the C libraries whose getaddrinfo the lab's programs use, each by a
// function that returns the addresses it finds, sorted.
func (l *lab) libraries() map[string]func(name string) string {
	l.Helper()
	testkit.Need(l.T, false, "musl-gcc")
	source, err := filepath.Abs("testdata/lookup.c")
	if err != nil {
		l.Fatal(err)
	}
	l.run("musl-gcc", "-static", "-o", "lookup", source)
	return map[string]func(string) string{
		"glibc": func(name string) string { return l.addresses("ahosts", name) },
		"musl": func(name string) string {
			out, _ := l.lookUp("./lookup", name) // it fails when there are none
			lines := strings.Split(strings.TrimSpace(out), "\n")
			slices.Sort(lines)
			return strings.Join(slices.Compact(lines), " ")
		},
	}
}

// R3: of a resolver that only refers to others, another that denies and a third that
// knows a name, C libraries find the name by their search list.
func TestSearchLists(t *testing.T) {
	l := newLab(t, "getent", "named", "unbound")
	l.systemResolver("127.0.0.123", "\nsearch other.example sub.corp.example corp.example")
	l.refers("127.0.0.12")
	l.public()
	l.unbound("127.0.0.13", `local-zone: "corp.example." static`, `local-data: "wiki.corp.example. 60 A 10.1.0.10"`).
		awaits("@127.0.0.13 wiki.corp.example")
	l.resolvConf("127.0.0.12", "127.0.0.11", "127.0.0.13")
	l.coredns(`.:53 {
		bind 127.0.0.123
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.123 . SOA")
	for library, addresses := range l.libraries() {
		for range 3 {
			for name, want := range map[string]string{"wiki": "10.1.0.10", "wiki.corp.example": "10.1.0.10"} {
				if got := addresses(name); got != want {
					t.Errorf("%s: %s is %q, want %q", library, name, got, want)
				}
			}
		}
	}
}

// R18: a resolver refuses all questions about a name but those for its IPv4 address, or denies
// the name for them (RFC 4074, section 4.2), and another denies the name. Once the address has been given, no C library and no
// cache in front is told that the name does not exist.
func TestOneTypeIsKnown(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"REFUSED", "SERVFAIL", "NOTIMP", "NXDOMAIN"} {
		t.Run(refusal, func(t *testing.T) {
			l := oneTypeLab(t, refusal, "127.0.0.124")
			n := 0
			for library, addresses := range l.libraries() {
				for range 4 {
					n++
					name := fmt.Sprintf("host%d.corp.example", n)
					l.expect("@127.0.0.124 "+name, "NOERROR 10.1.0.10")
					for _, qtype := range []string{"AAAA", "TYPE65", "AAAA"} {
						if got := l.ask("@127.0.0.124 " + name + " " + qtype); got.status == "NXDOMAIN" {
							t.Errorf("%s %s beside a known address: %s", name, qtype, got.text)
						}
					}
					if got := addresses(name); got != "10.1.0.10" {
						t.Errorf("%s: %s is %q, want 10.1.0.10", library, name, got)
					}
				}
			}
			l.expect("@127.0.0.124 nobody.example", "NXDOMAIN")
		})
	}
}

// R18: so it is with names that nobody has asked for before, when both types are asked for at
// once, the unknown one first, or alone; with a cache in front and without.
func TestOneTypeIsKnownAtOnce(t *testing.T) {
	t.Parallel()
	for _, refusal := range []string{"REFUSED", "SERVFAIL", "NOTIMP", "NXDOMAIN"} {
		for _, front := range []string{"127.0.0.123", "127.0.0.124"} {
			t.Run(refusal+" "+front, func(t *testing.T) {
				l := oneTypeLab(t, refusal, front)
				for library, addresses := range l.libraries() {
					for n := range 10 {
						name := fmt.Sprintf("%s%d.corp.example", library, n)
						if got := addresses(name); got != "10.1.0.10" {
							t.Errorf("%s: %s is %q, want 10.1.0.10", library, name, got)
						}
					}
				}
				for _, qtype := range []string{"AAAA", "TYPE65", "MX", "TXT", "SRV", "TYPE65535"} {
					name := "first-" + strings.ToLower(qtype) + ".corp.example"
					if got := l.dig("@" + front + " " + name + " " + qtype); got.String() != "NOERROR" {
						t.Errorf("%s %s: %s", name, qtype, got.text)
					}
					l.expect("@"+front+" +dnssec with-do-"+name+" "+qtype, "NOERROR")
					l.expect("@"+front+" "+name, "NOERROR 10.1.0.10")
				}
			})
		}
	}
}

// oneTypeLab has a resolver of corp.example that refuses all types but A, one that denies
// these names, dnsmus before both at 127.0.0.123, and dnsmasq before that at 127.0.0.124. The
// system asks front.
func oneTypeLab(t *testing.T, refusal, front string) *lab {
	t.Helper()
	l := newLab(t, "getent", "unbound", "dnsmasq")
	l.systemResolver(front, "")
	l.start(testkit.Binary(t), "-conf", l.write("Corefile.company", fmt.Sprintf(`corp.example:53 {
		bind 127.0.0.12
		template IN A {
			answer "{{ .Name }} 60 IN A 10.1.0.10"
		}
		template ANY ANY {
			rcode %s
			authority "corp.example 3600 IN SOA ns.corp.example mail.corp.example 1 2 3 4 3600"
		}
	}`, refusal)))
	l.awaits("@127.0.0.12 a.corp.example")
	l.public()
	l.resolvConf("127.0.0.11", "127.0.0.12")
	l.coredns(`.:53 {
		bind 127.0.0.123
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.123 . SOA")
	l.dnsmasq("127.0.0.124", "53", "--server=127.0.0.123").awaits("@127.0.0.124 . SOA")
	return l
}
