//go:build linux

package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestRouteMoves moves the way to both upstreams from one link to another and
// back. The server takes packets only from the link to which it would reply, as
// VPN gateways do; so sockets with the address of the other link are of no use.
// Each upstream knows names that all others deny: the very next query for each
// is answered.
func TestRouteMoves(t *testing.T) {
	t.Parallel()
	const ask = "@127.0.0.1 -p 5553 "
	for _, way := range []struct {
		name string
		down bool // the link that is left
	}{
		{"other link stays", false},
		{"other link goes down", true},
	} {
		t.Run(way.name, func(t *testing.T) {
			client := newLab(t, "dnsmasq")
			server := addLab(t)
			server.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter")
			links := []string{"one", "two"}
			for i, link := range links {
				client.run("ip", "link", "add", link, "type", "veth", "peer", "name", link, "netns", server.ns)
				for host, side := range []*lab{server, client} {
					side.run("ip", "addr", "add", fmt.Sprintf("10.9.%d.%d/24", i, host+1), "dev", link)
					side.run("ip", "link", "set", link, "up")
				}
			}
			route := func(i int) {
				client.run("ip", "route", "replace", "10.8.0.0/24", "via", fmt.Sprintf("10.9.%d.1", i))
			}
			route(0)
			for i, zone := range []string{"alpha.example", "beta.example"} {
				addr := fmt.Sprintf("10.8.0.%d", i+1)
				server.run("ip", "addr", "add", addr+"/32", "dev", "lo")
				server.dnsmasq(addr, "53", fmt.Sprintf("--address=/%s/10.0.0.%d", zone, i+1), "--address=/#/")
				client.awaits("@" + addr + " " + zone)
			}
			client.gamma()
			client.resolvConf("127.0.0.13", "10.8.0.1", "10.8.0.2")
			client.coredns(`.:5553 {
				bind 127.0.0.1
				dnsmus resolv.conf.dnsmus
				errors
			}`).awaits(ask + "db.corp.example")

			for i := range 20 { // so that all sockets are in use
				client.expect(fmt.Sprintf(ask+"warm%d.alpha.example", i), "NOERROR 10.0.0.1")
				client.expect(fmt.Sprintf(ask+"warm%d.beta.example", i), "NOERROR 10.0.0.2")
			}
			client.expect(ask+"+tcp warm.alpha.example", "NOERROR 10.0.0.1")
			for i := range 4 {
				from, to := i%2, (i+1)%2
				client.run("ip", "link", "set", links[to], "up")
				route(to)
				if way.down {
					client.run("ip", "link", "set", links[from], "down")
				}
				client.awaits("@10.8.0.1 alpha.example") // the link itself takes a moment
				for j := range 2 {
					client.expect(fmt.Sprintf(ask+"host%d-%d.alpha.example", i, j), "NOERROR 10.0.0.1")
					client.expect(fmt.Sprintf(ask+"host%d-%d.beta.example", i, j), "NOERROR 10.0.0.2")
				}
				client.expect(fmt.Sprintf(ask+"+tcp tcp%d.alpha.example", i), "NOERROR 10.0.0.1")
				client.expect(ask+"db.corp.example", "NOERROR 10.3.0.30")
			}
		})
	}
}

// awaits asks until the answer is NOERROR.
func (l *lab) awaits(question string) {
	l.Helper()
	l.eventually(func() error {
		if r := l.ask("+time=1 " + question); r.status != "NOERROR" {
			return fmt.Errorf("dig %s: %s", question, r.text)
		}
		return nil
	})
}

// TestIPv6ComesAndGoes lists an upstream with an IPv6 address on a host that has
// no IPv6, then has, and so on. Others answer meanwhile, at once.
func TestIPv6ComesAndGoes(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client := newLab(t, "dnsmasq")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", "10.9.0.1/24")
	link := client.linkTo(server)
	server.run("ip", "addr", "add", "fd00:9::1/64", "dev", server.linkTo(client), "nodad")
	server.dnsmasq("10.9.0.1", "53", "--address=/four.example/10.0.0.4", "--address=/#/")
	server.dnsmasq("fd00:9::1", "53", "--address=/six.example/10.0.0.6", "--address=/#/")
	client.awaits("@10.9.0.1 four.example")
	ipv6 := func(disable string) {
		client.run("sh", "-c", "echo "+disable+" >/proc/sys/net/ipv6/conf/all/disable_ipv6")
	}
	ipv6("1")
	client.resolvConf("fd00:9::1", "10.9.0.1")
	// A good answer needs no opinion of the other; a denial does, and dig would
	// not wait for the timeout.
	client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus {
			patience 1m
			timeout 1m
		}
		errors
	}`).awaits(ask + "four.example")

	for i := range 5 {
		client.expect(fmt.Sprintf(ask+"away%d.four.example", i), "NOERROR 10.0.0.4")
		client.expect(fmt.Sprintf(ask+"away%d.six.example", i), "NXDOMAIN")
		ipv6("0")
		client.run("ip", "addr", "add", "fd00:9::2/64", "dev", link, "nodad")
		client.awaits("@fd00:9::1 six.example")
		for j := range 4 {
			client.expect(fmt.Sprintf(ask+"host%d-%d.six.example", i, j), "NOERROR 10.0.0.6")
			client.expect(fmt.Sprintf(ask+"host%d-%d.four.example", i, j), "NOERROR 10.0.0.4")
		}
		client.expect(fmt.Sprintf(ask+"+tcp tcp%d.six.example", i), "NOERROR 10.0.0.6")
		ipv6("1")
	}
}

// TestInterfaceReplaced gives the name of an interface to another, as happens
// when a VPN connects anew. An upstream with a link-local address is where the
// name says.
func TestInterfaceReplaced(t *testing.T) {
	client := newLab(t, "dnsmasq")
	for i := range 2 {
		server, link := addLab(t), fmt.Sprintf("idle%d", i)
		client.run("ip", "link", "add", link, "type", "veth", "peer", "name", "veth0", "netns", server.ns)
		server.run("ip", "link", "set", "veth0", "addrgenmode", "none", "up")
		server.run("ip", "addr", "add", "fe80::2/64", "dev", "veth0", "nodad")
		server.dnsmasq("fe80::2", "53", fmt.Sprintf("--address=/corp.example/10.0.0.%d", i))
	}
	connect := func(i int) {
		client.run("ip", "link", "set", fmt.Sprintf("idle%d", i), "name", "vpn0")
		client.run("ip", "link", "set", "vpn0", "addrgenmode", "none", "up")
		client.run("ip", "addr", "add", "fe80::1/64", "dev", "vpn0", "nodad")
		client.awaits("@fe80::2%vpn0 wiki.corp.example")
	}
	connect(0)
	client.gamma()
	client.resolvConf("fe80::2%vpn0", "127.0.0.13")
	client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 -p 5553 wiki.corp.example")
	for i := range 6 {
		client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 host%d.corp.example", i), fmt.Sprintf("NOERROR 10.0.0.%d", i%2))
		client.run("ip", "link", "set", "vpn0", "down")
		client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 away%d.corp.example", i), "NXDOMAIN")
		client.run("ip", "link", "set", "vpn0", "name", fmt.Sprintf("idle%d", i%2))
		connect((i + 1) % 2)
	}
}

// TestPause stops the server for longer than its timeouts, as the suspension of
// a machine does, while queries are under way and come in. The one resolver that
// knows the names takes a moment to answer; the other has denied them by then.
// Time in which the server could not hear is no silence of a resolver.
func TestPause(t *testing.T) {
	pauses := []time.Duration{3 * time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second}
	pauses = pauses[:testkit.Times(1, len(pauses))]
	l := newLoopback(t)
	slow := l.fake(func(query *dns.Msg) *dns.Msg {
		time.Sleep(50 * time.Millisecond)
		return answers(query)
	})
	l.resolvConf(slow, l.fake(denies))
	port, _, p := l.server("dnsmus resolv.conf.dnsmus")
	load := l.load("127.0.0.1:"+port, 500) // some of them are under way at any moment
	for _, pause := range pauses {
		time.Sleep(time.Second)
		p.Signal(syscall.SIGSTOP)
		time.Sleep(pause)
		p.Signal(syscall.SIGCONT)
	}
	time.Sleep(time.Second)
	load.stop().mustAllBeGood(t)
}
