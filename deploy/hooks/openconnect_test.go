//go:build linux

package hooks_test

import "testing"

func TestOpenConnect(t *testing.T) {
	t.Parallel()
	client, server := newMachine(t, "openconnect", "openresolv", "openssl"), newMachine(t, "ocserv")
	client.connect(server)
	client.resolver("10.0.0.53", "printer.lan.example")
	server.resolver("10.1.0.53", "wiki.alpha.example")
	client.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	client.dnsmus(upstreams)
	client.knows("printer.lan.example", "10.0.0.53")
	client.certificate(server)

	server.write("/etc/ocserv/ocserv.conf", `auth = "plain[passwd=/etc/ocserv/passwd]"
tcp-port = 443
run-as-user = ocserv
run-as-group = ocserv
socket-file = /run/ocserv-socket
server-cert = /etc/vpn.crt
server-key = /etc/vpn.key
device = vpns
ipv4-network = 10.9.0.0/24
route = 10.1.0.53/32
dns = 10.1.0.53
default-domain = alpha.example
`, 0o644)
	server.sh(`printf 'secret\nsecret\n' | ocpasswd -c /etc/ocserv/passwd user`)
	server.start("ocserv", "--foreground")
	client.write("/etc/secret", "secret\n", 0o600)
	client.eventually(func() error { // as soon as the server listens
		_, err := client.output("sh", "-c", `openconnect --background --pid-file=/run/openconnect.pid \
			--user=user --passwd-on-stdin --cafile=/etc/vpn.crt --non-inter 192.0.2.2 </etc/secret >/tmp/log 2>&1`)
		return err
	})

	client.listsSoon(upstreams, "10.1.0.53 10.0.0.53")
	client.knows("wiki.alpha.example", "10.1.0.53") // through the tunnel
	client.knows("printer.lan.example", "10.0.0.53")

	client.sh("kill -INT $(cat /run/openconnect.pid)")
	client.listsSoon(upstreams, "10.0.0.53")
}
