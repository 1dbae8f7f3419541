//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSystemResolver makes dnsmus the one nameserver of a system's resolv.conf,
// and looks names up as programs do: by the C library, which asks for A and
// AAAA at once.
func TestSystemResolver(t *testing.T) {
	t.Parallel()
	for _, options := range []string{
		"",               // A and AAAA by UDP, from one socket
		"edns0 trust-ad", // the same with EDNS
		"single-request", // one after the other
		"use-vc",         // both by TCP, on one connection
	} {
		t.Run("options "+options, func(t *testing.T) {
			l := newLab(t, "getent", "unbound", "named", "dnsmasq")
			l.systemResolver("127.0.0.123", options)
			l.threeResolvers()
			l.coredns(`.:53 {
				bind 127.0.0.123
				dnsmus resolv.conf.dnsmus
				errors
			}`).awaits("@127.0.0.123 . SOA")

			for _, test := range []struct{ database, name, want string }{
				{"ahosts", "wiki.corp.example", "10.1.0.10"},
				{"ahosts", "git.corp.example", "10.2.0.20 fd00:2::20"},
				{"ahosts", "db.corp.example", "10.3.0.30"},
				{"ahosts", "ldap.corp.example", "fd00:2::21"}, // no IPv4 address
				{"ahosts", "WiKi.corp.example", "10.1.0.10"},
				{"ahosts", "wiki", "10.1.0.10"}, // by the search list
				{"ahosts", "nobody.corp.example", ""},
				{"hosts", "wiki.corp.example", "10.1.0.10"},
				{"hosts", "git.corp.example", "fd00:2::20"}, // it prefers IPv6
				{"hosts", "db.corp.example", "10.3.0.30"},
				{"hosts", "nobody.corp.example", ""},
				{"hosts", "10.1.0.10", "10.1.0.10"}, // by its PTR record
			} {
				if got := l.addresses(test.database, test.name); got != test.want {
					t.Errorf("getent %s %s: %q, want %q", test.database, test.name, got, test.want)
				}
			}
		})
	}
}

// systemResolver makes addr the resolver of the programs that lookUp runs.
func (l *lab) systemResolver(addr, options string) {
	l.Helper()
	// The C library asks for addresses of the families that the host has.
	l.run("ip", "addr", "add", "192.0.2.123/32", "dev", "lo")
	l.run("ip", "addr", "add", "2001:db8::123/128", "dev", "lo", "nodad")
	dir := filepath.Join("/etc/netns", l.ns)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		os.RemoveAll(dir)
		os.Remove("/etc/netns") // stays if somebody else's is in it
	})
	for name, text := range map[string]string{
		"resolv.conf":   "nameserver " + addr + "\nsearch corp.example\noptions timeout:30 " + options + "\n",
		"nsswitch.conf": "hosts: files dns\n",
		"hosts":         "127.0.0.1 localhost\n",
	} {
		l.etc(name, text)
	}
}

// etc writes a file that programs which lookUp runs have in /etc.
func (l *lab) etc(name, text string) {
	l.Helper()
	if err := os.WriteFile(filepath.Join("/etc/netns", l.ns, name), []byte(text), 0o644); err != nil {
		l.Fatal(err)
	}
}

// lookUp runs a program that reads the system's resolv.conf: `ip netns exec` puts what is
// in /etc/netns/NAME over /etc, for its program alone.
func (l *lab) lookUp(args ...string) (string, error) {
	l.Helper()
	return l.output(append([]string{"ip", "netns", "exec", l.ns}, args...)...)
}

// addresses returns the addresses that getent finds, sorted: their order is the
// C library's taste.
func (l *lab) addresses(database, name string) string {
	l.Helper()
	out, _ := l.lookUp("getent", database, name) // it fails when there are none
	var found []string
	for line := range strings.Lines(out) {
		found = append(found, strings.Fields(line)[0])
	}
	slices.Sort(found)
	return strings.Join(slices.Compact(found), " ")
}
