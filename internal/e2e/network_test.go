//go:build linux

package e2e

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

// linkTo is the name of l's end of the veth pair that joins it to another lab.
func (l *lab) linkTo(other *lab) string { return "to" + other.ns[strings.LastIndex(other.ns, "-"):] }

// join connects two labs by a veth pair and gives the ends these addresses.
func join(a, b *lab, addrA, addrB string) {
	a.Helper()
	linkA, linkB := a.linkTo(b), b.linkTo(a)
	a.run("ip", "link", "add", linkA, "type", "veth", "peer", "name", linkB, "netns", b.ns)
	for _, end := range []struct {
		l          *lab
		link, addr string
	}{{a, linkA, addrA}, {b, linkB, addrB}} {
		end.l.run("ip", "addr", "add", end.addr, "dev", end.link, "nodad")
		end.l.run("ip", "link", "set", end.link, "up")
	}
}

// TestAddressChanges is what a VPN does when it reconnects: the address that
// queries come from goes away, and another takes its place. R10: the very next
// query is answered, though every socket is bound to the old address.
func TestAddressChanges(t *testing.T) {
	client := newLab(t, "dnsmasq")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", "10.9.0.1/24")
	link := client.linkTo(server)
	server.dnsmasq("10.9.0.1", "53", "--address=/corp.example/10.1.0.10").awaits("@10.9.0.1 wiki.corp.example")
	client.resolvConf("10.9.0.1")
	client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 -p 5553 wiki.corp.example")

	for i := range 20 { // so that all sockets are in use
		client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 host%d.corp.example", i), "NOERROR 10.1.0.10")
	}
	client.expect("@127.0.0.1 -p 5553 +tcp host.corp.example", "NOERROR 10.1.0.10")
	for i := range 6 {
		client.run("ip", "addr", "flush", "dev", link)
		if i%2 == 1 { // without an address for a while
			client.expect("@127.0.0.1 -p 5553 away.corp.example", "SERVFAIL")
		}
		client.run("ip", "addr", "add", fmt.Sprintf("10.9.0.%d/24", 3+i), "dev", link)
		for j := range 8 {
			client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 host%d-%d.corp.example", i, j), "NOERROR 10.1.0.10")
		}
		client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 +tcp host%d.corp.example", i), "NOERROR 10.1.0.10")
	}
}

// TestUnreachable: a router on the way says that it knows no way to the upstream.
// R10: that is the end of the wait, and the word that the client gets.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"unreachable", "prohibit"} {
		t.Run(route, func(t *testing.T) {
			client := newLab(t)
			router := addLab(t)
			join(client, router, "10.9.0.2/24", "10.9.0.1/24")
			client.run("ip", "route", "add", "default", "via", "10.9.0.1")
			router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
			// Others may use up the errors that a machine sends in a second, and probes those
			// to one host.
			router.run("sh", "-c", "echo 0 >/proc/sys/net/ipv4/icmp_ratemask")
			router.run("ip", "route", "add", route, "10.8.0.0/24")
			client.coredns(`.:5553 {
				bind 127.0.0.1
				dnsmus 10.8.0.1
			}
			.:5554 {
				bind 127.0.0.1
				whoami
			}`).awaits("@127.0.0.1 -p 5554 ready.example")
			client.eventually(func() error { // it may take longer than the timeout on a busy machine
				r := client.ask("@127.0.0.1 -p 5553 wiki.corp.example")
				if r.status != "SERVFAIL" || !strings.Contains(r.text, "EDE: 23") || !strings.Contains(r.text, "no route to host") {
					return fmt.Errorf("want a network error, got %s", r.text)
				}
				return nil
			})
		})
	}
}

// TestLinkDown: the link to the only upstream that knows the name goes down and
// comes back. Names of others are answered meanwhile, and its own again after.
func TestLinkDown(t *testing.T) {
	client := newLab(t, "dnsmasq")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", "10.9.0.1/24")
	link := client.linkTo(server)
	server.dnsmasq("10.9.0.1", "53", "--address=/corp.example/10.1.0.10").awaits("@10.9.0.1 wiki.corp.example")
	client.dnsmasq("127.0.0.13", "53", "--host-record=db.home.example,10.3.0.30", "--address=/#/").awaits("@127.0.0.13 db.home.example")
	client.resolvConf("10.9.0.1", "127.0.0.13")
	client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits("@127.0.0.1 -p 5553 wiki.corp.example")

	for range 3 {
		client.run("ip", "link", "set", link, "down")
		client.expect("@127.0.0.1 -p 5553 db.home.example", "NOERROR 10.3.0.30")
		client.expect("@127.0.0.1 -p 5553 wiki.corp.example", "NXDOMAIN")
		client.run("ip", "link", "set", link, "up")
		client.eventually(func() error { // the link itself takes a moment
			if r := client.ask("@127.0.0.1 -p 5553 wiki.corp.example"); r.String() != "NOERROR 10.1.0.10" {
				return fmt.Errorf("after the link is back: %s", r.text)
			}
			return nil
		})
	}
}

// TestLoop makes dnsmus and a dnsmasq each other's upstream. R11: the query that
// comes back joins the race it came from, which ends by its timeout. A second
// race is one over TCP, which dnsmasq passes on over TCP; others are of the probes
// that go out, and come back, over UDP and TCP, while the upstream is silent.
func TestLoop(t *testing.T) {
	l := newLab(t, "dnsmasq")
	l.dnsmasq("127.0.0.13", "53", "--server=127.0.0.1#5553", "--dns-forward-max=10000")
	p := l.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus 127.0.0.13 {
			timeout 3s
		}
		prometheus 127.0.0.1:9153
		errors
	}
	.:5554 {
		bind 127.0.0.1
		whoami
	}`).awaits("@127.0.0.1 -p 5554 ready.example")

	const asked = 3
	before := cpuTicks(t, p.Pid())
	for i := range asked {
		r := l.ask(fmt.Sprintf("@127.0.0.1 -p 5553 name%d.example", i))
		if r.status != "SERVFAIL" {
			t.Errorf("got %s", r.text)
		}
	}
	t.Logf("%d ticks, %v races, %v queries", cpuTicks(t, p.Pid())-before, l.metric("127.0.0.1:9153", "coredns_dnsmus_races_total"), l.metric("127.0.0.1:9153", "coredns_dns_requests_total"))
	if races := l.metric("127.0.0.1:9153", "coredns_dnsmus_races_total"); races < asked || races > 15*asked { // without an end it would be thousands
		t.Errorf("%v races for %d questions in a loop", races, asked)
	}
	if queries := l.metric("127.0.0.1:9153", "coredns_dns_requests_total"); queries > 100*asked {
		t.Errorf("%v queries for %d questions in a loop", queries, asked)
	}
	if cpu := cpuTicks(t, p.Pid()) - before; cpu > 100 {
		t.Errorf("a loop took %d ticks of CPU time", cpu)
	}
}

// metric returns the sum of a metric's series, as a program in the lab reads it.
func (l *lab) metric(addr, name string) float64 {
	l.Helper()
	conn, err := l.dial(l.Context(), "tcp", addr)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil {
		l.Fatal(err)
	}
	sum := 0.0
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		fields := strings.Fields(line)
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			l.Fatal(err)
		}
		sum += v
	}
	return sum
}

// cpuTicks returns the CPU time of a process in ticks, a hundredth of a second
// each (proc(5), utime and stime).
func cpuTicks(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+2:]))
	sum := 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
