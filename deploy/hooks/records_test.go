//go:build linux

package hooks_test

import "testing"

// TestRecords gives the hooks records of networks, in the places where openresolv
// and resolvconf keep them, without either.
func TestRecords(t *testing.T) {
	const lan, vpn = "search lan.example\nnameserver 10.0.0.53\n", "nameserver 10.1.0.53\nnameserver 127.0.0.123\n"
	for name, hook := range map[string]func(m *machine){
		"openresolv": func(m *machine) {
			m.write("/sbin/resolvconf", "#!/bin/sh\n[ \"$*\" = -l ] && cat /run/eth0 /run/wg0\n", 0o755)
			m.write("/run/eth0", lan, 0o644)
			m.write("/run/wg0", vpn, 0o644)
			m.run("/usr/lib/resolvconf/dnsmus")
		},
		"resolvconf": func(m *machine) {
			m.write("/lib/resolvconf/list-records", "#!/bin/sh\necho eth0; echo wg0\n", 0o755)
			m.write("/run/records/eth0", lan, 0o644)
			m.write("/run/records/wg0", vpn, 0o644)
			m.write("/etc/resolvconf/resolv.conf.d/base", "nameserver 10.4.0.1", 0o644)
			m.sh("cd /run/records && /etc/resolvconf/update.d/dnsmus")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.resolver("10.0.0.53", "printer.lan.example")
			m.resolver("10.1.0.53", "wiki.alpha.example")
			m.write(upstreams, "nameserver 10.0.0.53\n", 0o644)
			m.dnsmus(upstreams)
			m.knows("printer.lan.example", "10.0.0.53")
			m.run("rm", upstreams)
			hook(m)
			want := "10.0.0.53 10.1.0.53"
			if name == "resolvconf" {
				want += " 10.4.0.1"
			}
			m.upstreamsAre(want)
			m.knows("printer.lan.example", "10.0.0.53")
			m.knows("wiki.alpha.example", "10.1.0.53")

			m.run("rm", "/usr/sbin/dnsmus-resolv")
			hook(m) // succeeds without dnsmus
		})
	}
}
