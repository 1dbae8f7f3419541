//go:build linux

package hooks_test

import "testing"

func TestOpenVPN(t *testing.T) {
	t.Parallel()
	client, server := newMachine(t, "openvpn", "openresolv", "openssl"), newMachine(t, "openvpn")
	client.connect(server)
	client.resolver("10.0.0.53", "printer.lan.example")
	server.resolver("10.1.0.53", "wiki.alpha.example")
	client.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	client.dnsmus(upstreams)
	client.knows("printer.lan.example", "10.0.0.53")

	client.certificate(server)
	const tls = "ca /etc/vpn.crt\ncert /etc/vpn.crt\nkey /etc/vpn.key\ndev tun\n"
	server.write("/etc/openvpn/server.conf", tls+`dh none
server 10.8.0.0 255.255.255.0
topology subnet
push "route 10.1.0.53 255.255.255.255"
push "dhcp-option DNS 10.1.0.53"
push "dhcp-option DOMAIN alpha.example"
`, 0o644)
	client.write("/etc/openvpn/client.conf", tls+`client
remote 192.0.2.2
nobind
script-security 2
up /etc/openvpn/update-resolv-conf
down /etc/openvpn/update-resolv-conf
`, 0o644)
	server.start("openvpn", "/etc/openvpn/server.conf")
	client.start("openvpn", "--writepid", "/run/openvpn.pid", "--config", "/etc/openvpn/client.conf")

	client.listsSoon(upstreams, "10.1.0.53 10.0.0.53")
	client.knows("wiki.alpha.example", "10.1.0.53") // through the tunnel
	client.knows("printer.lan.example", "10.0.0.53")

	client.sh("kill $(cat /run/openvpn.pid)")
	client.listsSoon(upstreams, "10.0.0.53")
}
