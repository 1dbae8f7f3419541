//go:build linux

package hooks_test

import (
	"os"
	"strings"
	"testing"
)

const state = "/var/lib/dnsmus-default"

// expectFile compares a file of the machine's, from inside.
func (m *machine) expectFile(name, want string) {
	m.Helper()
	if got, err := m.output("cat", name); err != nil || got != want {
		m.Errorf("%s is\n%s\nwant\n%s%v", name, got, want, err)
	}
}

func (m *machine) gone(names ...string) {
	m.Helper()
	for _, name := range names {
		if _, err := os.Lstat(m.path(name)); err == nil {
			m.Errorf("%s stays", name)
		}
	}
}

// expectDefault compares what the script says of itself.
func (m *machine) expectDefault(want string) {
	m.Helper()
	if got := m.run("dnsmus-default"); got != want+"\n" {
		m.Errorf("it is %s, want %s", got, want)
	}
}

// newDefault is a machine on which nobody manages resolv.conf.
func newDefault(t *testing.T) *machine {
	m := newMachine(t)
	m.copy("dnsmus-default", "/usr/sbin/dnsmus-default")
	for _, other := range []string{"/etc/NetworkManager", "/etc/resolvconf", "/sbin/resolvconf", "/usr/sbin/resolvconf"} {
		m.run("rm", "-rf", other)
	}
	m.write("/etc/nsswitch.conf", "passwd: files\nhosts:          files dns\n", 0o644)
	return m
}

// On and off leave a machine as it was, whatever resolv.conf was; on twice is on.
func TestDefault(t *testing.T) {
	t.Parallel()
	m := newDefault(t)
	for name, prepare := range map[string]string{
		"a file":                    `printf 'search lan.example\nnameserver 192.0.2.53\n' >/etc/resolv.conf`,
		"a link":                    `mkdir -p /run/systemd/resolve; echo nameserver 127.0.0.53 >/run/systemd/resolve/stub-resolv.conf; ln -s ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf`,
		"a link that leads nowhere": `ln -s /run/nobody /etc/resolv.conf`,
		"nothing":                   `:`,
	} {
		m.sh("rm -f /etc/resolv.conf; " + prepare)
		look := "ls -l /etc/resolv.conf 2>&1 | sed 's/.*://'; cat /etc/resolv.conf 2>&1 || true"
		before := m.sh(look)
		m.expectDefault("off")
		for range 2 {
			m.run("dnsmus-default", "on")
			m.expectDefault("on")
			m.asks("127.0.0.123")
		}
		if name == "nothing" { // there is nothing to go back to
			if out, err := m.output("dnsmus-default", "off"); err == nil || !strings.Contains(out, "write a line 'nameserver ADDRESS'") {
				t.Errorf("it leaves a machine without DNS, and without a word: %v\n%s", err, out)
			}
			continue
		}
		m.run("dnsmus-default", "off")
		m.expectDefault("off")
		if after := m.sh(look); before[strings.IndexByte(before, '\n'):] != after[strings.IndexByte(after, '\n'):] {
			t.Errorf("%s: it was\n%s\nand is\n%s", name, before, after)
		}
		if link, err := os.Readlink(m.path("/etc/resolv.conf")); strings.Contains(name, "link") && (err != nil || link == "") {
			t.Errorf("%s is no link any more: %v", name, err)
		}
		m.gone(state)
	}
	m.write("/usr/sbin/dhclient", "", 0o755)
	if out := m.run("dnsmus-default", "on"); !strings.Contains(out, "install openresolv") {
		t.Errorf("beside a DHCP client it says %s", out)
	}
	for _, wrong := range [][]string{{"maybe"}, {"off", "on"}, {"", ""}} {
		if out, err := m.output(append([]string{"dnsmus-default"}, wrong...)...); err == nil || !strings.Contains(out, "usage") {
			t.Errorf("%q: %v\n%s", wrong, err, out)
		}
	}
}

// Programs read resolv.conf although systemd-resolved is asked by nsswitch.conf, until off;
// NetworkManager leaves it alone. What was edited in between stays.
func TestDefaultBeside(t *testing.T) {
	t.Parallel()
	m := newDefault(t)
	const networkManager = "/etc/NetworkManager/conf.d/dnsmus-default.conf"
	m.run("mkdir", "/etc/NetworkManager")
	for before, want := range map[string]string{
		"hosts:          files resolve [!UNAVAIL=return] dns\n":                            "hosts:          files dns resolve\n",
		"hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns # a\nnet: dns\n": "hosts: mymachines files myhostname # a dns resolve\nnet: dns\n",
		"hosts:\tfiles\tmdns4_minimal [NOTFOUND=return]\tresolve\n":                        "hosts:\tfiles\tmdns4_minimal [NOTFOUND=return] dns resolve\n",
		"hosts: files dns\n": "hosts: files dns\n",
	} {
		m.write("/etc/nsswitch.conf", before, 0o644)
		m.write("/etc/resolv.conf", "nameserver 192.0.2.53\n", 0o644)
		m.run("dnsmus-default", "on")
		m.expectFile("/etc/nsswitch.conf", want)
		m.lists(networkManager, "")
		m.run("dnsmus-default", "off")
		m.expectFile("/etc/nsswitch.conf", before)
		m.asks("192.0.2.53")
		m.gone(networkManager, state)
	}

	m.write("/etc/nsswitch.conf", "hosts: files resolve dns\n", 0o644)
	m.run("dnsmus-default", "on")
	m.write("/etc/nsswitch.conf", "hosts: files\n", 0o644)
	m.write("/etc/resolv.conf", "nameserver 192.0.2.54\n", 0o644)
	if out := m.run("dnsmus-default", "off"); !strings.Contains(out, "nsswitch.conf was edited") {
		t.Errorf("it says %s", out)
	}
	m.expectFile("/etc/nsswitch.conf", "hosts: files\n")
	m.asks("192.0.2.54")
}

func TestDefaultOpenresolv(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "openresolv")
	m.copy("dnsmus-default", "/usr/sbin/dnsmus-default")
	m.resolver("10.0.0.53", "printer.lan.example")
	m.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	m.dnsmus(upstreams)
	before := m.run("cat", "/etc/resolvconf.conf")
	m.run("dnsmus-default", "on")
	m.asks("127.0.0.123")
	m.finds("printer.lan.example", "10.0.0.53")
	m.sh("echo nameserver 10.0.0.54 | resolvconf -a wg0 -m 0 -x")
	m.asks("127.0.0.123")
	m.run("resolvconf", "-d", "wg0")
	m.run("dnsmus-default", "off")
	m.asks("10.0.0.53")
	m.expectFile("/etc/resolvconf.conf", before)
}

func TestDefaultResolvconf(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "resolvconf")
	m.copy("dnsmus-default", "/usr/sbin/dnsmus-default")
	m.run("rm", "-f", "/etc/resolvconf/update.d/unbound", "/run/resolvconf/interface/original.resolvconf") // this system's
	m.sh("resolvconf --enable-updates && ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf")
	m.resolver("10.0.0.53", "printer.lan.example")
	m.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	m.dnsmus(upstreams)
	m.run("dnsmus-default", "on")
	m.asks("127.0.0.123")
	m.finds("printer.lan.example", "10.0.0.53")
	m.run("dnsmus-default", "off")
	m.asks("10.0.0.53")
	m.gone("/etc/systemd/system/dnsmus.service.d", state)
}

// NetworkManager and systemd-resolved together, as on many desktops.
func TestDefaultDesktop(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "network-manager", "systemd-resolved", "libnss-resolve")
	m.copy("dnsmus-default", "/usr/sbin/dnsmus-default")
	m.resolver("10.0.0.53", "printer.lan.example")
	m.bus()
	m.run("mkdir", "-p", "/run/systemd")
	m.start("/lib/systemd/systemd-resolved")
	m.eventually(func() error { _, err := m.output("resolvectl"); return err })
	m.sh("ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
	m.start("NetworkManager", "--debug")
	m.eventually(func() error { _, err := m.output("nmcli", "general"); return err })
	m.run("nmcli", "connection", "add", "type", "bridge", "ifname", "lan0", "con-name", "lan0", "autoconnect", "no",
		"ipv4.method", "manual", "ipv4.addresses", "192.0.2.1/24", "ipv4.dns", "10.0.0.53", "ipv6.method", "disabled")
	m.run("nmcli", "connection", "up", "lan0")
	m.dnsmus("10.0.0.53")
	m.knows("printer.lan.example", "10.0.0.53")
	hosts := m.run("cat", "/etc/nsswitch.conf")
	m.run("dnsmus-default", "on")
	m.run("nmcli", "general", "reload")
	m.run("nmcli", "connection", "up", "lan0") // nobody writes resolv.conf
	m.asks("127.0.0.123")
	if line := m.sh("grep ^hosts: /etc/nsswitch.conf"); !strings.HasSuffix(line, " dns resolve\n") {
		t.Errorf("programs ask systemd-resolved first: %s", line)
	}
	m.finds("printer.lan.example", "10.0.0.53")
	m.run("dnsmus-default", "off")
	m.expectFile("/etc/nsswitch.conf", hosts)
	m.asks("127.0.0.53")
}
