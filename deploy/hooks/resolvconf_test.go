//go:build linux

package hooks_test

import (
	"os"
	"testing"
)

func TestOpenresolv(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "openresolv")
	m.write("/etc/resolvconf.conf", "name_servers=127.0.0.123\n", 0o644)
	m.resolver("10.0.0.53", "printer.lan.example")
	m.resolver("10.1.0.53", "wiki.alpha.example")
	m.resolver("10.2.0.53", "git.beta.example")

	m.sh(`printf 'search lan.example\nnameserver 10.0.0.53\n' | resolvconf -a eth0`)
	m.upstreamsAre("10.0.0.53")
	m.asks("127.0.0.123")
	m.dnsmus(upstreams)
	m.knows("printer.lan.example", "10.0.0.53")

	// wg-quick's way.
	m.sh("echo nameserver 10.1.0.53 | resolvconf -a wg0 -m 0 -x")
	m.upstreamsAre("10.0.0.53 10.1.0.53")
	m.asks("127.0.0.123")
	m.knows("wiki.alpha.example", "10.1.0.53")
	m.knows("printer.lan.example", "10.0.0.53")

	m.sh(`printf 'domain beta.example\nnameserver 10.2.0.53\nnameserver 10.0.0.53\n' | resolvconf -p -a tun0`)
	m.upstreamsAre("10.2.0.53 10.0.0.53 10.1.0.53")
	m.asks("127.0.0.123")

	m.knows("git.beta.example", "10.2.0.53")
	m.finds("wiki.alpha.example", "10.1.0.53")

	m.run("resolvconf", "-d", "wg0", "-f")
	m.upstreamsAre("10.2.0.53 10.0.0.53")
	m.sh(`for n in 1 2 3 4; do echo "nameserver 10.3.0.$n"; done | resolvconf -a eth1`)
	m.upstreamsAre("10.2.0.53 10.0.0.53 10.3.0.1 10.3.0.2 10.3.0.3 10.3.0.4")

	before := stat(t, m.path(upstreams))
	m.run("resolvconf", "-u")
	m.sh("echo nameserver 127.0.0.1 | resolvconf -a lo.other")
	if !os.SameFile(before, stat(t, m.path(upstreams))) {
		t.Error("the same upstreams were written again")
	}
	for _, record := range []string{"eth0", "tun0", "eth1", "lo.other"} {
		m.run("resolvconf", "-d", record)
	}
	m.upstreamsAre("10.3.0.1 10.3.0.2 10.3.0.3 10.3.0.4") // the last ones, not none

	m.run("rm", "/usr/sbin/dnsmus-resolv")
	m.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0") // succeeds without dnsmus
}

func TestResolvconf(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "resolvconf")
	m.run("rm", "-f", "/etc/resolvconf/update.d/unbound")              // this system's unbound does not run in the machine
	m.run("rm", "-f", "/run/resolvconf/interface/original.resolvconf") // made from this system's resolv.conf
	m.sh("resolvconf --enable-updates && ln -sf ../run/resolvconf/resolv.conf /etc/resolv.conf")
	m.resolver("10.0.0.53", "printer.lan.example")
	m.resolver("10.1.0.53", "wiki.alpha.example")
	m.resolver("10.2.0.53", "git.beta.example")

	m.sh("echo nameserver 127.0.0.123 | resolvconf -a lo.dnsmus")
	m.asks("127.0.0.123")
	m.sh(`printf 'search lan.example\nnameserver 10.0.0.53\n' | resolvconf -a eth0.dhclient`)
	m.upstreamsAre("10.0.0.53")
	m.dnsmus(upstreams)
	m.knows("printer.lan.example", "10.0.0.53")

	// wg-quick's way, which takes the prefix from interface-order.
	m.sh("echo nameserver 10.1.0.53 | resolvconf -a tun.wg0 -m 0 -x")
	m.upstreamsAre("10.1.0.53 10.0.0.53")
	m.knows("wiki.alpha.example", "10.1.0.53")
	m.knows("printer.lan.example", "10.0.0.53")
	m.sh(`printf 'domain beta.example\nnameserver 10.2.0.53\nnameserver 10.0.0.53\n' | resolvconf -a tun0.openvpn`)
	m.upstreamsAre("10.1.0.53 10.2.0.53 10.0.0.53")
	m.asks("127.0.0.123")

	m.knows("git.beta.example", "10.2.0.53")
	m.finds("wiki.alpha.example", "10.1.0.53")

	m.run("resolvconf", "-d", "tun.wg0", "-f")
	m.upstreamsAre("10.2.0.53 10.0.0.53")
	m.write("/etc/resolvconf/resolv.conf.d/base", "nameserver 10.4.0.1", 0o644)
	m.sh(`for n in 1 2 3 4; do echo "nameserver 10.3.0.$n"; done | resolvconf -a eth1`)
	m.upstreamsAre("10.2.0.53 10.0.0.53 10.3.0.1 10.3.0.2 10.3.0.3 10.3.0.4 10.4.0.1")

	before := stat(t, m.path(upstreams))
	m.run("resolvconf", "-u")
	m.sh("echo nameserver 127.0.0.1 | resolvconf -a lo.other")
	if !os.SameFile(before, stat(t, m.path(upstreams))) {
		t.Error("the same upstreams were written again")
	}
	m.write("/etc/resolvconf/resolv.conf.d/base", "", 0o644)
	for _, record := range []string{"eth0.dhclient", "tun0.openvpn", "eth1"} {
		m.run("resolvconf", "-d", record)
	}
	m.upstreamsAre("10.3.0.1 10.3.0.2 10.3.0.3 10.3.0.4") // the last ones, not none
	m.asks("127.0.0.123")

	m.run("rm", "/usr/sbin/dnsmus-resolv")
	m.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0.dhclient") // succeeds without dnsmus
}
