//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// Doctor asks real upstreams by itself, and reads what the server has learned of them.
func TestDoctorUpstreams(t *testing.T) {
	l := newLab(t, "dnsmasq")
	knower := l.dnsmasq("127.0.0.11", "53", "--address=/corp.example/10.1.0.10", "--address=/#/")
	l.dnsmasq("127.0.0.12", "53", "--address=/com/203.0.113.9", "--address=/org/203.0.113.9", "--address=/net/203.0.113.9", "--address=/#/")
	l.told("127.0.0.11 127.0.0.12", "").awaits("@127.0.0.1 git.corp.example")

	// finds waits until a check has a problem with these words in what it is.
	finds := func(check string, words ...string) {
		t.Helper()
		l.eventually(func() error {
			status, out := l.says("doctor", "--json")
			var d diagnosis
			if err := json.Unmarshal([]byte(out), &d); err != nil || status != 1 {
				return fmt.Errorf("status %d, %v", status, err)
			}
			for _, c := range d.Checks {
				if c.Name != check {
					continue
				}
				for _, p := range c.Problems {
					if check == "liars" && strings.Contains(p.What, "127.0.0.11") {
						t.Errorf("one that denies made-up names: %s", p.What)
					}
					has := true
					for _, word := range words {
						has = has && strings.Contains(p.What+" "+p.Mend, word)
					}
					if has {
						return nil
					}
				}
				return fmt.Errorf("%s: %q are not in %+v", check, words, c.Problems)
			}
			return errors.New("there is no check " + check)
		})
	}
	finds("liars", "127.0.0.12:53 answers", "bogus 203.0.113.9")
	finds("zones", "corp.example., which 127.0.0.11:53 alone knows", "learn")
	knower.Kill()
	l.ask("@127.0.0.1 wiki.corp.example")
	finds("upstreams", "127.0.0.11:53")
	finds("denied", "who knows them is down")
}

// Containers on a bridge ask an address of the loopback interface, which is there before any bridge
// is, and others may not ask there (deploy/README.md). The address of a bridge that comes later can be
// listened on if the system allows that.
func TestContainers(t *testing.T) {
	l := newLab(t, "dnsmasq", "sysctl")
	l.run("ip", "address", "replace", "169.254.53.53/32", "dev", "lo")
	l.run("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=1")
	l.dnsmasq("127.0.0.11", "53", "--address=/corp.example/10.1.0.10")
	l.coredns(`.:53 {
    bind 127.0.0.123 169.254.53.53 172.17.0.1
    acl {
        allow net 127.0.0.0/8 169.254.53.53/32 172.16.0.0/12 10.88.0.0/15
        block
    }
    dnsmus 127.0.0.11
}`).awaits("@127.0.0.123 wiki.corp.example")
	l.expect("@169.254.53.53 wiki.corp.example", "NOERROR 10.1.0.10") // as Docker's resolver asks, from the host

	// Bridges come, and a container on each.
	for i, c := range []struct{ host, container, want string }{
		{"172.17.0.1", "172.17.0.2", "NOERROR 10.1.0.10"},
		{"192.168.7.1", "192.168.7.2", "REFUSED"}, // a neighbour, whom the list does not have
	} {
		container := addLab(t)
		bridge := fmt.Sprintf("br%d", i)
		l.run("ip", "link", "add", bridge, "type", "bridge")
		l.run("ip", "address", "add", c.host+"/24", "dev", bridge)
		l.run("ip", "link", "set", bridge, "up")
		l.run("ip", "link", "add", "v"+bridge, "type", "veth", "peer", "name", "eth0", "netns", container.ns)
		l.run("ip", "link", "set", "v"+bridge, "master", bridge, "up")
		container.run("ip", "address", "add", c.container+"/24", "dev", "eth0")
		container.run("ip", "link", "set", "eth0", "up")
		container.run("ip", "route", "add", "default", "via", c.host)
		container.eventually(func() error {
			if r := container.ask("+time=1 @169.254.53.53 wiki.corp.example"); r.String() != c.want {
				return fmt.Errorf("it gets %s, want %s\n%s", r, c.want, r.text)
			}
			return nil
		})
		if c.want != "REFUSED" {
			container.expect("@"+c.host+" wiki.corp.example", c.want)
		}
	}
}
