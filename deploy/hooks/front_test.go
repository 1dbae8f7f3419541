//go:build linux

package hooks_test

import (
	"fmt"
	"strings"
	"testing"
)

// systemd-resolved in front of dnsmus takes a denial of one type for the whole name.
// Where a resolver refuses all questions about a name but those for its address, and
// another denies the name, resolved is told of no denial.
func TestResolvedInFront(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved", "libnss-resolve")
	for addr, plugins := range map[string]string{
		"10.0.0.53": "template ANY ANY {\n rcode NXDOMAIN\n authority \". 1800 IN SOA ns.public.example. hostmaster.public.example. 1 3600 600 86400 1800\"\n }",
		"10.1.0.53": "template IN A corp.example {\n answer \"{{ .Name }} 60 IN A 10.1.0.10\"\n }\n template ANY ANY {\n rcode REFUSED\n }",
	} {
		m.run("ip", "address", "replace", addr+"/32", "dev", "lo")
		m.write("/etc/resolver-"+addr, fmt.Sprintf(". {\n bind %s\n %s\n}\n", addr, plugins), 0o644)
		m.start("dnsmus", "-conf", "/etc/resolver-"+addr)
	}
	m.write(upstreams, "nameserver 10.0.0.53\nnameserver 10.1.0.53\n", 0o644)
	m.dnsmus(upstreams)
	m.knows("ready.corp.example", "10.1.0.10")

	m.run("sed", "-i", "s/^hosts:.*/hosts: files dns/", "/etc/nsswitch.conf")
	m.write("/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	m.resolvedInFront("DNSSEC=no")
	m.resolves("@127.0.0.53", "first.corp.example", "10.1.0.10")
	for i := range 6 {
		name := fmt.Sprintf("host%d.corp.example", i)
		for _, qtype := range []string{"A", "AAAA", "TYPE65", "A"} {
			if out := m.run("dig", "-r", "+tries=1", "+time=30", "@127.0.0.53", name, qtype); strings.Contains(out, "status: NXDOMAIN") ||
				qtype == "A" && !strings.Contains(out, "10.1.0.10") {
				t.Errorf("%s %s: %s", name, qtype, out)
			}
		}
		if out, err := m.output("getent", "ahosts", name); !strings.Contains(out, "10.1.0.10") {
			t.Errorf("getent ahosts %s: %v %s", name, err, out)
		}
	}
	if out := m.run("dig", "-r", "+tries=1", "+time=30", "@127.0.0.53", "nobody.example"); !strings.Contains(out, "status: NXDOMAIN") {
		t.Errorf("a name that nobody knows: %s", out)
	}
}

// resolvedInFront runs systemd-resolved, with these settings, before dnsmus.
func (m *machine) resolvedInFront(settings ...string) {
	m.Helper()
	m.write("/etc/systemd/resolved.conf", "[Resolve]\nDNS=127.0.0.123\n"+strings.Join(settings, "\n")+"\n", 0o644)
	m.run("ip", "link", "add", "lan0", "type", "bridge")
	m.run("ip", "address", "add", "192.0.2.1/24", "dev", "lan0")
	m.run("ip", "link", "set", "lan0", "up")
	m.bus()
	m.run("mkdir", "-p", "/run/systemd")
	m.start("/lib/systemd/systemd-resolved")
}

// What caches in front were told before a change of the list is forgotten with it: a name that
// was denied, and one whose address was another one.
func TestFrontsAreEmptied(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.splitName()
	m.run("sh", "-c", "mkdir -p /run/dnsmasq /etc/unbound")
	m.start("dnsmasq", "--keep-in-foreground", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.31", "--bind-interfaces", "--server=127.0.0.123",
		"--pid-file=/run/dnsmasq/dnsmasq.pid", "--user=root", "--conf-file=/dev/null")
	m.write("/etc/unbound/unbound.conf", `server:
  interface: 127.0.0.32
  do-daemonize: no
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
  do-not-query-localhost: no
remote-control:
  control-enable: yes
  control-interface: /run/unbound.ctl
  control-use-cert: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.123
`, 0o644)
	m.start("unbound", "-d")
	m.areEmptied("@127.0.0.31", "@127.0.0.32")
}

// So it is with systemd-resolved, where it keeps what a server on this machine says.
func TestResolvedIsEmptied(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved")
	m.splitName()
	m.write("/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	m.resolvedInFront("DNSSEC=no", "CacheFromLocalhost=yes")
	m.areEmptied("@127.0.0.53")
}

// splitName runs dnsmus with one of two resolvers, which know a name by different addresses; the
// second one knows more.
func (m *machine) splitName() {
	m.Helper()
	for addr, plugins := range map[string]string{
		"10.0.0.53": "template IN A git.corp.example {\n answer \"{{ .Name }} 3600 IN A 203.0.113.5\"\n }\n" +
			"template ANY ANY {\n rcode NXDOMAIN\n authority \"corp.example. 3600 IN SOA ns.corp.example. root.corp.example. 1 3600 600 86400 3600\"\n }",
		"10.1.0.53": "template IN A corp.example {\n answer \"{{ .Name }} 3600 IN A 10.1.0.10\"\n }",
	} {
		m.run("ip", "address", "replace", addr+"/32", "dev", "lo")
		m.write("/etc/resolver-"+addr, fmt.Sprintf(". {\n bind %s\n %s\n}\n", addr, plugins), 0o644)
		m.start("dnsmus", "-conf", "/etc/resolver-"+addr)
		m.resolves("@"+addr, "git.corp.example", map[string]string{"10.0.0.53": "203.0.113.5", "10.1.0.53": "10.1.0.10"}[addr])
	}
	m.run("sh", "-c", "rm -f "+upstreams+"; echo nameserver 10.0.0.53 | dnsmus-resolv")
	m.dnsmus(upstreams)
}

// areEmptied looks names up by caches in front, has the list changed, and looks them up again.
func (m *machine) areEmptied(fronts ...string) {
	m.Helper()
	for _, front := range fronts {
		m.resolves(front, "git.corp.example", "203.0.113.5")
		if out := m.run("dig", "-r", "+tries=1", "+time=30", front, "wiki.corp.example"); !strings.Contains(out, "status: NXDOMAIN") {
			m.Errorf("%s: %s", front, out)
		}
	}
	// The script waits for as long as dnsmus usually takes to see its file; here, until it has.
	m.write("/usr/local/waits/sleep", "#!/bin/sh\nuntil [ \"$(dig -r +short @127.0.0.123 seen.corp.example)\" = 10.1.0.10 ]; do /bin/sleep .1; done\n", 0o755)
	m.run("sh", "-c", "echo nameserver 10.1.0.53 | PATH=/usr/local/waits:$PATH dnsmus-resolv")
	for _, front := range fronts {
		for _, name := range []string{"git.corp.example", "wiki.corp.example"} {
			if got := strings.TrimSpace(m.run("dig", "-r", "+short", "+tries=1", "+time=30", front, name)); got != "10.1.0.10" {
				m.Errorf("%s: %s is %s", front, name, got)
			}
		}
	}
}
