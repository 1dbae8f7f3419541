//go:build linux

package hooks_test

import (
	"fmt"
	"strings"
	"testing"
)

// R19: systemd-resolved in front validates a signed zone, though the quicker of two
// upstreams gives the same answers without signatures.
func TestResolvedValidates(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved")
	const zone = `$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 10.1.0.53
www A 10.1.0.10
alias CNAME www
*.wild A 10.1.0.11
`
	m.write("/zone/signed.example", zone, 0o644)
	m.sh("cd /zone && dnssec-keygen -q -a ECDSAP256SHA256 -f KSK signed.example >ksk && dnssec-keygen -q -a ECDSAP256SHA256 signed.example >/dev/null" +
		" && dnssec-signzone -S -o signed.example -f signed.zone signed.example >/dev/null")
	m.sh("mkdir -p /etc/dnssec-trust-anchors.d && cd /zone && dnssec-dsfromkey -2 $(cat ksk).key >/etc/dnssec-trust-anchors.d/signed.positive")
	for addr, file := range map[string]string{"10.0.0.53": "/zone/signed.example", "10.1.0.53": "/zone/signed.zone"} {
		m.run("ip", "address", "replace", addr+"/32", "dev", "lo")
		m.write("/etc/resolver-"+addr, fmt.Sprintf("signed.example {\n bind %s\n file %s\n}\n", addr, file), 0o644)
		m.start("dnsmus", "-conf", "/etc/resolver-"+addr)
		m.resolves("@"+addr, "www.signed.example", "10.1.0.10")
	}
	m.write(upstreams, "nameserver 10.0.0.53\nnameserver 10.1.0.53\n", 0o644)
	m.dnsmus(upstreams)
	m.knows("www.signed.example", "10.1.0.10")

	m.resolvedInFront("Domains=~.", "DNSSEC=yes", "Cache=no")
	m.eventually(func() error {
		_, err := m.output("resolvectl", "query", "www.signed.example")
		return err
	})
	for range 3 {
		for name, want := range map[string]string{
			"www.signed.example":    "10.1.0.10",
			"alias.signed.example":  "10.1.0.10",
			"x.wild.signed.example": "10.1.0.11",
		} {
			if out, err := m.output("resolvectl", "query", "-4", name); err != nil || !strings.Contains(out, want) || !strings.Contains(out, "authenticated: yes") {
				t.Errorf("%s: %v %s", name, err, out)
			}
		}
		for name, want := range map[string]string{"nobody.signed.example": "not found", "www.signed.example": "does not have any RR"} {
			if out, err := m.output("resolvectl", "query", "--type=TXT", name); err == nil || !strings.Contains(out, want) {
				t.Errorf("%s TXT: %v %s", name, err, out)
			}
		}
	}
}
