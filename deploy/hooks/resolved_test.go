//go:build linux

package hooks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestResolved(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved", "libnss-resolve", "openvpn", "vpnc-scripts")
	m.run("sed", "-i", "s/^hosts:.*/hosts: files dns resolve/", "/etc/nsswitch.conf")
	m.resolver("10.0.0.53", "printer.lan.example")
	m.resolver("10.1.0.53", "wiki.alpha.example")
	m.resolver("10.2.0.53", "git.beta.example")
	m.resolver("10.3.0.53", "db.gamma.example")
	m.write("/etc/resolv.conf", "nameserver 127.0.0.123\n", 0o644)

	m.bus()
	m.run("mkdir", "-p", "/run/systemd")
	m.start("/lib/systemd/systemd-resolved")
	m.eventually(func() error {
		_, err := m.output("resolvectl")
		return err
	})
	for name, address := range map[string]string{"lan0": "192.0.2.1/24", "vpn0": "198.51.100.1/24", "wg0": "203.0.113.1/24"} {
		m.run("ip", "link", "add", name, "type", "bridge")
		m.run("ip", "address", "add", address, "dev", name)
		m.run("ip", "link", "set", name, "up")
	}
	const file = "/run/systemd/resolve/resolv.conf"
	m.run("resolvectl", "dns", "lan0", "10.0.0.53", "10.0.0.2", "10.0.0.3")
	m.dnsmus(file)
	m.knows("printer.lan.example", "10.0.0.53")

	m.run("resolvectl", "dns", "vpn0", "10.1.0.53", "10.1.0.2")
	m.run("resolvectl", "domain", "vpn0", "~alpha.example")
	m.run("resolvectl", "default-route", "vpn0", "yes")
	m.sh("echo nameserver 10.2.0.53 | resolvconf -a wg0 -m 0 -x") // wg-quick's way
	for _, dev := range []string{"tun0", "tun1"} {
		m.run("ip", "tuntap", "add", "mode", "tun", "dev", dev)
	}
	m.run("env", "reason=connect", "VPNGATEWAY=192.0.2.2", "VPNPID=1", "TUNDEV=tun0", "INTERNAL_IP4_ADDRESS=10.9.0.2",
		"INTERNAL_IP4_DNS=10.3.0.53 10.3.0.2", "CISCO_DEF_DOMAIN=gamma.example", "/usr/share/vpnc-scripts/vpnc-script")
	m.run("ip", "address", "add", "10.8.0.2/24", "dev", "tun1")
	m.run("ip", "link", "set", "tun1", "up")
	m.run("env", "script_type=up", "dev=tun1", "foreign_option_1=dhcp-option DNS 10.4.0.2",
		"foreign_option_2=dhcp-option DOMAIN delta.example", "/etc/openvpn/update-resolv-conf")

	// It lists dnsmus itself, found in /etc/resolv.conf.
	want := []string{"10.0.0.2", "10.0.0.3", "10.0.0.53", "10.1.0.2", "10.1.0.53", "10.2.0.53", "10.3.0.2", "10.3.0.53", "10.4.0.2", "127.0.0.123"}
	m.eventually(func() error { // once it has heard of the links
		servers := strings.Fields(nameservers(m.run("cat", file)))
		slices.Sort(servers) // the order of links is nobody's promise
		if !slices.Equal(servers, want) {
			return fmt.Errorf("%s lists %v, want %v", file, servers, want)
		}
		return nil
	})

	m.knows("printer.lan.example", "10.0.0.53")
	m.knows("wiki.alpha.example", "10.1.0.53")
	m.knows("git.beta.example", "10.2.0.53")
	m.knows("db.gamma.example", "10.3.0.53")
	m.finds("wiki.alpha.example", "10.1.0.53")
	m.asks("127.0.0.123")
}
