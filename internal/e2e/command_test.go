//go:build linux

package e2e

import (
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestPortAlone runs the command without a Corefile, as [ADDRESS:]PORT [TO...], and
// a dnsmasq before it.
func TestPortAlone(t *testing.T) {
	l := newLab(t, "dnsmasq")
	binary := testkit.Binary(t)
	l.run("ip", "addr", "add", "192.0.2.7/24", "dev", "lo")
	l.dnsmasq("127.0.0.11", "53", "--host-record=wiki.corp.example,10.1.0.10", "--address=/#/").awaits("@127.0.0.11 wiki.corp.example")
	l.dnsmasq("127.0.0.12", "5353", "--host-record=git.corp.example,10.2.0.20", "--address=/#/").awaits("@127.0.0.12 -p 5353 git.corp.example")
	l.write("resolv conf", "nameserver 127.0.0.11\n")

	p := l.start(binary, "5553", "resolv conf", "127.0.0.12#5353").awaits("@127.0.0.1 -p 5553 git.corp.example")
	l.dnsmasq("127.0.0.1", "53", "--server=127.0.0.1#5553").awaits("@127.0.0.1 wiki.corp.example")
	expect := func() {
		t.Helper()
		for _, at := range []string{"@127.0.0.1 ", "@127.0.0.1 -p 5553 ", "@127.0.0.1 -p 5553 +tcp "} {
			l.expect(at+"wiki.corp.example", "NOERROR 10.1.0.10")
			l.expect(at+"git.corp.example", "NOERROR 10.2.0.20")
			l.expect(at+"nobody.corp.example", "NXDOMAIN")
		}
	}
	expect()
	l.expect("@192.0.2.7 -p 5553 wiki.corp.example", "no reply") // loopback, as nobody said otherwise

	// A reload, and a process in its own place, do as the command line says.
	p.reloads()
	p.printsTimes(1, "Reloading complete")
	expect()

	l.start(binary, "-quiet", "192.0.2.7:5554", "127.0.0.11").awaits("@192.0.2.7 -p 5554 wiki.corp.example")
	l.expect("@127.0.0.1 -p 5554 wiki.corp.example", "no reply")
	l.start(binary, "[::1]:5555", "127.0.0.11", "-quiet").awaits("@::1 -p 5555 wiki.corp.example")

	// The Corefile that is printed does the same.
	text := l.run(binary, "-corefile", "5556", "resolv conf", "127.0.0.12#5353")
	l.start(binary, "-conf", l.write("printed", text)).awaits("@127.0.0.1 -p 5556 git.corp.example")
	l.expect("@127.0.0.1 -p 5556 wiki.corp.example", "NOERROR 10.1.0.10")
}

// TestNothingToServe starts the command where nothing says what to serve, once its
// Corefile is gone, too. CoreDNS would know every name, and no address of it.
func TestNothingToServe(t *testing.T) {
	l := newLoopback(t)
	l.write("empty", "# nothing yet\n")
	for _, args := range [][]string{nil, {"-p", l.freePort()}, {"-conf", "empty"}, {"-conf", "stdin"}} {
		out, code := l.exits(args...)
		if code <= 0 || !strings.Contains(out, " 5553 192.0.2.1 ") || !strings.Contains(out, "-conf") {
			t.Errorf("%q: exit code %d, and it does not say what to write:\n%s", args, code, out)
		}
	}
	for _, args := range [][]string{{"192.0.2.1"}, {"5553", "-conf", "empty"}, {"5553", "-no-such-flag"}, {"-p", "65536"}, {"-log-format", "yaml"}} {
		if out, code := l.exits(args...); code != 2 || !strings.Contains(out, "-h") && !strings.Contains(out, "Usage") {
			t.Errorf("%q: exit code %d\n%s", args, code, out)
		}
	}
	out, code := l.exits("5553", "missing.conf")
	if code != 1 || !strings.Contains(out, "missing.conf") {
		t.Errorf("exit code %d\n%s", code, out)
	}

	port := l.freePort()
	p := l.coredns(".:" + port + " {\nbind 127.0.0.1\ndnsmus " + l.fake(answers) + "\nreload 2s 0s\n}").awaits("@127.0.0.1 -p " + port + " load1.example")
	before := l.ask("@127.0.0.1 -p " + port + " load1.example").String()
	l.write("Corefile", "")
	p.reloads()
	p.printsTimes(1, "[ERROR] SIGUSR1")
	l.expect("@127.0.0.1 -p "+port+" load1.example", before)
	if !strings.Contains(p.Printed(), "has no server block") {
		t.Errorf("the log does not say why:\n%s", p.Printed())
	}
}
