//go:build linux

package hooks_test

import "testing"

func TestStrongSwan(t *testing.T) {
	t.Parallel()
	// ESP in user space, for kernels without it.
	packages := []string{"charon-systemd", "strongswan-swanctl", "libcharon-extra-plugins"}
	client, server := newMachine(t, packages...), newMachine(t, packages...)
	client.connect(server)
	client.resolver("10.0.0.53", "printer.lan.example")
	server.resolver("10.1.0.53", "wiki.alpha.example")

	const secret = "secrets { ike { secret = secret } }\n"
	server.write("/etc/swanctl/conf.d/vpn.conf", secret+`pools { pool { addrs = 10.10.0.0/24
dns = 10.1.0.53, 10.1.0.2 } }
connections { vpn {
local { auth = psk
id = server }
remote { auth = psk
id = client }
pools = pool
children { net { local_ts = 10.1.0.53/32
esp_proposals = aes128-sha256 } }
} }
`, 0o600)
	client.write("/etc/swanctl/conf.d/vpn.conf", secret+`connections { vpn {
remote_addrs = 192.0.2.2
vips = 0.0.0.0
local { auth = psk
id = client }
remote { auth = psk
id = server }
children { net { remote_ts = 10.1.0.53/32
esp_proposals = aes128-sha256 } }
} }
`, 0o600)
	charon := func(m *machine) {
		m.start("charon-systemd")
		m.eventually(func() error {
			_, err := m.output("swanctl", "--load-all")
			return err
		})
	}
	for _, m := range []*machine{client, server} {
		m.run("sed", "-i", "s/load = no/load = yes/", "/etc/strongswan.d/charon/kernel-libipsec.conf")
	}
	charon(server)

	// Without resolvconf, into the file.
	client.run("sed", "-i", "s|# file = .*|file = "+upstreams+"|", "/etc/strongswan.d/charon/resolve.conf")
	client.write(upstreams, "nameserver 10.0.0.53\n", 0o644)
	client.dnsmus(upstreams)
	client.knows("printer.lan.example", "10.0.0.53")
	charon(client)
	client.run("swanctl", "--initiate", "--child", "net")
	client.listsSoon(upstreams, "10.1.0.2 10.1.0.53 10.0.0.53")
	client.knows("wiki.alpha.example", "10.1.0.53") // through the tunnel
	client.knows("printer.lan.example", "10.0.0.53")
	client.run("swanctl", "--terminate", "--ike", "vpn")
	client.listsSoon(upstreams, "10.0.0.53")
	client.sh("kill $(pidof charon-systemd); while pidof charon-systemd; do sleep .1; done; rm " + upstreams)

	// Through resolvconf, if there is one.
	client.install("openresolv")
	client.sh("echo nameserver 10.0.0.53 | resolvconf -a eth0")
	charon(client)
	client.run("swanctl", "--initiate", "--child", "net")
	client.listsSoon(upstreams, "10.1.0.2 10.1.0.53 10.0.0.53")
	client.knows("wiki.alpha.example", "10.1.0.53")
	client.run("swanctl", "--terminate", "--ike", "vpn")
	client.listsSoon(upstreams, "10.0.0.53")
}
