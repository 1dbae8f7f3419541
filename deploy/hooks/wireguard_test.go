//go:build linux

package hooks_test

import (
	"strings"
	"testing"
)

func TestWireGuard(t *testing.T) {
	t.Parallel()
	// WireGuard in user space, which wg-quick takes where the kernel has none.
	client, server := newMachine(t, "wireguard-tools", "wireguard-go"), newMachine(t, "wireguard-tools", "wireguard-go")
	client.connect(server)
	client.resolver("10.0.0.53", "printer.lan.example")
	server.resolver("10.1.0.53", "wiki.alpha.example")

	keys := strings.Fields(client.sh("for end in client server; do key=$(wg genkey); echo $key; echo $key | wg pubkey; done"))
	client.write("/etc/wireguard/wg0.conf", `[Interface]
Address = 10.11.0.1/24
PrivateKey = `+keys[0]+`
DNS = 10.1.0.53, 10.1.0.2, alpha.example
[Peer]
PublicKey = `+keys[3]+`
Endpoint = 192.0.2.2:51820
AllowedIPs = 10.11.0.0/24, 10.1.0.53/32
`, 0o600)
	server.write("/etc/wireguard/wg0.conf", `[Interface]
Address = 10.11.0.2/24
PrivateKey = `+keys[2]+`
ListenPort = 51820
[Peer]
PublicKey = `+keys[1]+`
AllowedIPs = 10.11.0.1/32
`, 0o600)
	server.run("wg-quick", "up", "wg0")

	client.install("openresolv")
	client.write("/etc/resolvconf.conf", "name_servers=127.0.0.123\n", 0o644)
	client.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	client.dnsmus(upstreams)
	client.knows("printer.lan.example", "10.0.0.53")
	client.run("wg-quick", "up", "wg0")
	client.lists(upstreams, "10.0.0.53 10.1.0.53 10.1.0.2")
	client.asks("127.0.0.123")
	client.knows("wiki.alpha.example", "10.1.0.53") // through the tunnel
	client.knows("printer.lan.example", "10.0.0.53")
	client.run("wg-quick", "down", "wg0")
	client.lists(upstreams, "10.0.0.53")
}
