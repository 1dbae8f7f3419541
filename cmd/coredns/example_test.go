package main

import (
	"path/filepath"
	"testing"
)

// root is the repository's.
func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestExample runs the example as its first lines say.
func TestExample(t *testing.T) {
	l := newLab(t)
	checkExample(l, coredns(t))
}

// checkExample runs binary with the example Corefile and asks for all that is
// in it.
func checkExample(l *lab, binary string) {
	l.Helper()
	l.dir = root(l.T)
	l.start(binary, "-conf", "Corefile.example").awaits("@127.0.0.1 -p 5553 wiki.corp.example")

	for _, test := range []struct{ port, name, want string }{
		// Each resolver knows one name and denies the others in its own way.
		{"5301", "wiki", "NOERROR 10.1.0.10"},
		{"5301", "git", "NXDOMAIN"},
		{"5301", "db", "NXDOMAIN"},
		{"5302", "wiki", "SERVFAIL"},
		{"5302", "git", "NOERROR 10.2.0.20"},
		{"5302", "db", "SERVFAIL"},
		{"5303", "wiki", "NOERROR"},
		{"5303", "git", "NOERROR"},
		{"5303", "db", "NOERROR 10.3.0.30"},
		// All of them together know all.
		{"5553", "wiki", "NOERROR 10.1.0.10"},
		{"5553", "git", "NOERROR 10.2.0.20"},
		{"5553", "db", "NOERROR 10.3.0.30"},
	} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			l.expect("@127.0.0.1 -p "+test.port+" "+test.name+".corp.example A "+transport, test.want)
		}
	}

	// A host without an IPv6 address is not denied, though another resolver
	// denies its name: a client that asks for both would give up the IPv4 one.
	for _, name := range []string{"wiki", "git", "db"} {
		query := "@127.0.0.1 -p 5553 " + name + ".corp.example AAAA"
		l.expect(query, "NOERROR")
		if r := l.dig(query); len(r.sections["AUTHORITY"]) != 1 {
			l.Errorf("dig %s: want the SOA record of the resolver that knows the name\n%s", query, r.text)
		}
	}
}
