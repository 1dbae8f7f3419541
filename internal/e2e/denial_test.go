//go:build linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// packagedCorefile is the packages', with its list of upstreams in the lab's directory.
func (l *lab) packagedCorefile() string {
	l.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Root(l.T), "deploy/package/Corefile"))
	if err != nil {
		l.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "/etc/resolv.conf.dnsmus", filepath.Join(l.dir, "resolv.conf.dnsmus"))
}

// R7: who asks for a name before its VPN is up gets it soon after, also from a cache in front,
// though the resolvers that deny it say that this holds for half an hour.
func TestR7DeniedBeforeItsVPN(t *testing.T) {
	const packaged, alone, dnsmasq, unbound = "@127.0.0.123", "@127.0.0.1 -p 5553", "@127.0.0.31", "@127.0.0.32"
	l := newLab(t, "dnsmasq", "unbound")
	l.public()
	l.resolvConf("127.0.0.11")
	l.coredns(l.packagedCorefile()).awaits(packaged + " . SOA")
	l.start(testkit.Binary(t), "5553", filepath.Join(l.dir, "resolv.conf.dnsmus")).awaits(alone + " . SOA")
	l.dnsmasq("127.0.0.31", "53", "--server=127.0.0.1#5553").awaits(dnsmasq + " . SOA")
	l.unbound("127.0.0.32", "forward-zone:", "name: .", "forward-addr: 127.0.0.1@5553").awaits(unbound + " . SOA")

	fronts := []string{packaged, alone, dnsmasq, unbound}
	for _, front := range fronts {
		for _, query := range []string{"wiki.corp.example", "wiki.corp.example AAAA", "none.wiki.corp.example"} {
			l.expect(front+" "+query, "NXDOMAIN")
		}
	}
	company := l.dnsmasq("127.0.0.13", "53", "--host-record=wiki.corp.example,10.3.0.30,fd00::30", "--address=/none.wiki.corp.example/10.3.0.31")
	company.awaits("@127.0.0.13 wiki.corp.example")
	l.resolvConf("127.0.0.11", "127.0.0.13")
	for _, front := range fronts {
		l.becomes(front+" wiki.corp.example", "NOERROR 10.3.0.30")
		l.becomes(front+" wiki.corp.example AAAA", "NOERROR fd00::30")
		l.becomes(front+" none.wiki.corp.example", "NOERROR 10.3.0.31")
		if r := l.ask(front + " nobody.corp.example"); r.status != "NXDOMAIN" || r.ttl() > 5 {
			l.Errorf("%s: what nobody knows:\n%s", front, r.text)
		}
	}
	company.Kill()
	l.eventually(func() error { // once what dnsmasq answered itself is over
		if r := l.ask(alone + " wiki.corp.example"); r.status != "NXDOMAIN" || r.ttl() > 5 {
			return fmt.Errorf("its VPN is gone: %s", r.text)
		}
		return nil
	})
}
