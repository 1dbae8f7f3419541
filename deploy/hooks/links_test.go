//go:build linux

package hooks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// site is a network at the other end of a link: the machine has 10.N.0.1 there, and a
// resolver that knows one name, whose address is its own, 10.N.0.53.
func (m *machine) site(link string, n int, name string) (resolver string) {
	m.Helper()
	resolver = fmt.Sprintf("10.%d.0.53", n)
	m.run("ip", "netns", "add", link)
	m.run("ip", "link", "add", link, "type", "veth", "peer", "name", "out", "netns", link)
	m.run("ip", "address", "add", fmt.Sprintf("10.%d.0.1/24", n), "dev", link)
	m.run("ip", "link", "set", link, "up")
	m.run("ip", "-netns", link, "address", "add", resolver+"/24", "dev", "out")
	m.run("ip", "-netns", link, "link", "set", "out", "up")
	m.run("ip", "-netns", link, "link", "set", "lo", "up")
	m.start("ip", "netns", "exec", link, "dnsmus", "-conf", m.corefile(resolver, name))
	m.resolves("@"+resolver, name, resolver)
	return resolver
}

// asNobody runs a program as a user with the one capability that the unit gives.
var asNobody = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service"}

// dnsmusLinks runs dnsmus without any file, and without rights.
func (m *machine) dnsmusLinks() {
	m.Helper()
	m.write("/etc/dnsmus/Corefile", ". {\n bind 127.0.0.123\n dnsmus links\n errors\n}\n", 0o644)
	m.start(append(asNobody, "dnsmus", "-conf", "/etc/dnsmus/Corefile")...)
}

// links is what explain --links shows, as nobody: "SERVER DOMAINS", or "SERVER: why not".
func (m *machine) links() (all []string) {
	m.Helper()
	out, err := m.output(append(asNobody, "dnsmus", "explain", "--links", "--json")...)
	var said struct {
		Links []struct {
			Server, Why string
			Domains     []string
			Asked       bool
		}
	}
	if bad := json.Unmarshal([]byte(out), &said); bad != nil {
		m.Fatalf("explain --links: %v, %v\n%s", err, bad, out)
	}
	for _, l := range said.Links {
		switch {
		case l.Asked:
			all = append(all, strings.Join(append([]string{l.Server}, l.Domains...), " "))
		case l.Server != "":
			all = append(all, l.Server+": "+l.Why)
		}
	}
	return all
}

// linksAre waits until explain --links shows these, in any order.
func (m *machine) linksAre(want ...string) {
	m.Helper()
	slices.Sort(want)
	m.eventually(func() error {
		got := m.links()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("explain --links shows %q, want %q", got, want)
		}
		return nil
	})
}

// while asks for names all the time until do returns. None may be lost, or denied.
func (m *machine) while(names map[string]string, do func()) {
	m.Helper()
	var stop atomic.Bool
	var asking sync.WaitGroup
	for name, addr := range names {
		asking.Go(func() {
			for i := 0; !stop.Load(); i++ {
				out, err := m.output("dig", "-r", "+short", "+tries=1", "+time=30", "@127.0.0.123", fmt.Sprintf("n%d.%s", i, name))
				if got := strings.TrimSpace(out); got != addr {
					m.Errorf("query %d for %s: %q, %v", i, name, got, err)
				}
			}
		})
	}
	do()
	stop.Store(true)
	asking.Wait()
}

// The system knows its resolvers by systemd-resolved: also those of a link that is not
// the default route, which its file does not list.
func TestLinksResolved(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved", "dbus")
	lan := m.site("lan0", 10, "printer.lan.example")
	vpn := m.site("vpn0", 20, "wiki.alpha.example")
	m.write("/etc/resolv.conf", "nameserver 127.0.0.123\n", 0o644)

	m.dnsmusLinks() // before all others, as when a machine boots
	m.eventually(func() error {
		if out, err := m.output("dig", "-r", "+tries=1", "+time=5", "@127.0.0.123", "printer.lan.example"); !strings.Contains(out, "status: SERVFAIL") {
			return fmt.Errorf("without any resolver: %v %s", err, out)
		}
		return nil
	})
	m.bus()
	m.run("mkdir", "-p", "/run/systemd")
	m.start("/lib/systemd/systemd-resolved")
	m.eventually(func() error {
		_, err := m.output("resolvectl")
		return err
	})
	m.run("resolvectl", "dns", "lan0", lan, "127.0.0.123")
	m.knows("printer.lan.example", lan)
	m.run("resolvectl", "dns", "vpn0", vpn)
	m.run("resolvectl", "domain", "vpn0", "~alpha.example", "lab.example")
	m.run("resolvectl", "default-route", "vpn0", "no")
	m.knows("wiki.alpha.example", vpn)
	if file := m.run("cat", "/run/systemd/resolve/resolv.conf"); strings.Contains(file, vpn) {
		t.Errorf("systemd-resolved lists a link that is no default route:\n%s", file)
	}
	const itself = "[127.0.0.123%lo]:53: loopback"
	m.linksAre(itself, fmt.Sprintf("[%s%%lan0]:53", lan), fmt.Sprintf("[%s%%vpn0]:53 alpha.example. lab.example.", vpn))

	names := map[string]string{"printer.lan.example": lan, "wiki.alpha.example": vpn}
	m.while(names, func() {
		for range 3 {
			m.run("sh", "-c", "kill -9 $(cat /run/dbus/pid)")
			time.Sleep(500 * time.Millisecond) // the moments in between are as good as any
			m.bus()
			time.Sleep(2 * time.Second)
		}
		m.run("sh", "-c", "kill $(pidof systemd-resolved)")
		time.Sleep(time.Second)
		m.start("/lib/systemd/systemd-resolved")
		m.eventually(func() error {
			_, err := m.output("resolvectl")
			return err
		})
		time.Sleep(7 * time.Second) // more than that which has just come is not trusted in all
	})

	// It has kept what it was told, and is followed again.
	third := m.site("vpn1", 30, "git.beta.example")
	m.run("resolvectl", "dns", "vpn1", third)
	m.knows("git.beta.example", third)
	m.run("ip", "link", "delete", "vpn1")
	m.linksAre(itself, fmt.Sprintf("[%s%%lan0]:53", lan), fmt.Sprintf("[%s%%vpn0]:53 alpha.example. lab.example.", vpn))
	m.eventually(func() error {
		out, err := m.output("dig", "-r", "+tries=1", "+time=30", "@127.0.0.123", "gone.git.beta.example")
		if !strings.Contains(out, "status: NXDOMAIN") {
			return fmt.Errorf("a name of a link that went: %v %s", err, out)
		}
		return nil
	})
	m.knows("wiki.alpha.example", vpn)
}

// systemd-resolved stands in front of dnsmus, and is what tells it of resolvers: nothing
// goes round.
func TestLinksResolvedInFront(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "systemd-resolved", "dbus")
	lan := m.site("lan1", 10, "printer.lan.example")
	m.write("/etc/resolv.conf", "nameserver 127.0.0.53\n", 0o644)
	m.resolvedInFront("Domains=~.")
	m.eventually(func() error {
		_, err := m.output("resolvectl")
		return err
	})
	m.dnsmusLinks()
	m.run("resolvectl", "dns", "lan1", lan)
	m.run("resolvectl", "default-route", "lan1", "no")
	m.resolves("@127.0.0.53", "printer.lan.example", lan)
	m.linksAre("[127.0.0.123%lo]:53: loopback", fmt.Sprintf("[%s%%lan1]:53", lan))
	m.run("resolvectl", "revert", "lan1") // nothing is left but dnsmus itself
	m.linksAre("[127.0.0.123%lo]:53: loopback")
}

// The system knows its resolvers by NetworkManager, also those that another's priority
// hides.
func TestLinksNetworkManager(t *testing.T) {
	t.Parallel()
	m := newMachine(t, "network-manager")
	m.copy("networkmanager.conf", "/etc/NetworkManager/conf.d/dnsmus.conf")
	m.write("/usr/lib/NetworkManager/conf.d/10-all.conf", "[device]\nmanaged=1\n", 0o644)
	m.write("/etc/resolv.conf", "nameserver 127.0.0.123\n", 0o644)
	lan := m.site("lan0", 10, "printer.lan.example")
	vpn := m.site("vpn0", 20, "wiki.alpha.example")
	m.dnsmusLinks()
	m.bus()
	m.start("NetworkManager", "--debug")
	m.eventually(func() error {
		_, err := m.output("nmcli", "general")
		return err
	})
	connect := func(name, address, servers, priority string) {
		m.run("nmcli", "device", "set", name, "managed", "yes")
		m.run("nmcli", "connection", "add", "type", "ethernet", "ifname", name, "con-name", "of-"+name, "autoconnect", "no", "ipv4.method", "manual",
			"ipv4.addresses", address, "ipv4.dns", servers, "ipv4.dns-search", "~"+name+".example", "ipv4.dns-priority", priority, "ipv6.method", "disabled")
		m.eventually(func() error { // once the device is known to be ready
			_, err := m.output("nmcli", "connection", "up", "of-"+name) // another one has the name of the link
			return err
		})
	}
	connect("lan0", "10.10.0.1/24", lan, "100")
	m.knows("printer.lan.example", lan)
	connect("vpn0", "10.20.0.1/24", vpn+" 127.0.0.1", "-50")
	m.listsSoon("/run/NetworkManager/no-stub-resolv.conf", vpn+" 127.0.0.1")
	m.knows("wiki.alpha.example", vpn)
	m.knows("printer.lan.example", lan)
	m.linksAre(fmt.Sprintf("[%s%%lan0]:53 lan0.example.", lan), fmt.Sprintf("[%s%%vpn0]:53 vpn0.example.", vpn), "[127.0.0.1%vpn0]:53: loopback")

	m.while(map[string]string{"printer.lan.example": lan, "wiki.alpha.example": vpn}, func() {
		m.run("sh", "-c", "kill -9 $(cat /run/dbus/pid)")
		time.Sleep(time.Second)
		m.bus()
		time.Sleep(2 * time.Second)
	})
	if out, err := m.output("nmcli", "general"); err != nil {
		m.start("NetworkManager", "--debug") // it ends with the bus
		m.eventually(func() error {
			if out, err = m.output("nmcli", "-t", "-f", "NAME", "connection", "show", "--active"); !strings.Contains(out, "of-vpn0") {
				return errors.Join(err, fmt.Errorf("active are %s", out))
			}
			return nil
		})
	}
	m.run("nmcli", "connection", "down", "of-vpn0")
	m.linksAre(fmt.Sprintf("[%s%%lan0]:53 lan0.example.", lan))
	m.knows("printer.lan.example", lan)
}

// The system knows its resolvers by openresolv, or by resolvconf, also those that an
// exclusive record hides.
func TestLinksResolvconf(t *testing.T) {
	for _, tool := range []string{"openresolv", "resolvconf"} {
		t.Run(tool, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, tool)
			lan := m.site("lan0", 10, "printer.lan.example")
			vpn := m.site("vpn0", 20, "wiki.alpha.example")
			record, options := "vpn0", "-m 0 -x"
			if tool == "resolvconf" {
				m.run("rm", "-f", "/etc/resolvconf/update.d/unbound")              // this system's unbound does not run in the machine
				m.run("rm", "-f", "/run/resolvconf/interface/original.resolvconf") // made from this system's resolv.conf
				m.run("resolvconf", "--enable-updates")
				record = "tun.vpn0" // it has no other way to say what comes first
			}
			m.dnsmusLinks()
			m.sh("printf 'search lan.example\nnameserver " + lan + "\nnameserver 127.0.0.1\n' | resolvconf -a lan0.dhclient")
			m.knows("printer.lan.example", lan)
			m.sh("echo nameserver " + vpn + " | resolvconf -a " + record + " " + options) // wg-quick's way
			m.knows("wiki.alpha.example", vpn)
			m.knows("printer.lan.example", lan)
			m.linksAre(fmt.Sprintf("[%s%%lan0]:53 lan.example.", lan), "[127.0.0.1%lan0]:53: loopback", fmt.Sprintf("[%s%%vpn0]:53", vpn))
			m.run("resolvconf", "-d", record)
			m.linksAre(fmt.Sprintf("[%s%%lan0]:53 lan.example.", lan), "[127.0.0.1%lan0]:53: loopback")
		})
	}
}
