//go:build linux

package hooks_test

import "testing"

func TestNetworkManager(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "network-manager")
	m.copy("networkmanager.conf", "/etc/NetworkManager/conf.d/dnsmus.conf")
	m.write("/etc/resolv.conf", "nameserver 127.0.0.123\n", 0o644)
	m.resolver("10.0.0.53", "printer.lan.example")
	m.resolver("10.1.0.53", "wiki.alpha.example")

	m.bus()
	m.start("NetworkManager", "--debug")
	m.eventually(func() error {
		_, err := m.output("nmcli", "general")
		return err
	})
	connect := func(name, address, servers string) {
		m.run("nmcli", "connection", "add", "type", "bridge", "ifname", name, "con-name", name, "autoconnect", "no",
			"ipv4.method", "manual", "ipv4.addresses", address, "ipv4.dns", servers, "ipv6.method", "disabled")
		m.run("nmcli", "connection", "up", name)
	}
	const file = "/run/NetworkManager/no-stub-resolv.conf"
	connect("lan0", "192.0.2.1/24", "10.0.0.53 10.0.0.2 10.0.0.3")
	m.dnsmus(file)
	m.knows("printer.lan.example", "10.0.0.53")

	connect("vpn0", "198.51.100.1/24", "10.1.0.53 127.0.0.1")
	m.listsSoon(file, "10.0.0.53 10.0.0.2 10.0.0.3 10.1.0.53 127.0.0.1")
	m.asks("127.0.0.123")
	m.knows("printer.lan.example", "10.0.0.53")
	m.knows("wiki.alpha.example", "10.1.0.53")
	m.finds("wiki.alpha.example", "10.1.0.53")

	m.run("nmcli", "connection", "down", "vpn0")
	m.listsSoon(file, "10.0.0.53 10.0.0.2 10.0.0.3")
}
