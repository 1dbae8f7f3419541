//go:build linux

package e2e

import (
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// vpns gives the lab two links, tun0 and tun1, at whose other ends a resolver has the same
// address, 10.0.0.53. Each knows the names of its zone, zone0.example or zone1.example,
// over all transports.
func vpns(t *testing.T) (client *lab, servers [2]*lab) {
	client = newLab(t)
	cert, key, _ := client.authority("ca").issue("dns", x509.Certificate{})
	for i := range servers {
		servers[i] = addLab(t)
		client.connect(servers[i], i)
		servers[i].coredns(strings.NewReplacer("zoneN", fmt.Sprint("zone", i), "10.N", fmt.Sprint("10.", i), "CERT", cert, "KEY", key).Replace(`.:53 tls://.:853 https://.:443 quic://.:8853 {
			bind 10.0.0.53
			tls CERT KEY
			template IN A zoneN.example {
				answer "{{ .Name }} 60 IN A 10.N.0.1"
			}
			template ANY ANY . {
				rcode NXDOMAIN
				authority ". 60 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 60"
			}
			errors
		}`)).awaits(fmt.Sprintf("@10.0.0.53 www.zone%d.example", i))
	}
	return client, servers
}

// connect makes the link tunN to the server, with routes to all of 10/8.
func (l *lab) connect(server *lab, n int) {
	l.Helper()
	name := fmt.Sprintf("tun%d", n)
	l.run("ip", "link", "add", name, "type", "veth", "peer", "name", "home", "netns", server.ns)
	l.run("ip", "addr", "add", fmt.Sprintf("10.0.0.%d/8", n+1), "dev", name)
	server.run("ip", "addr", "add", "10.0.0.53/8", "dev", "home")
	server.run("ip", "link", "set", "home", "up")
	l.run("ip", "link", "set", name, "up")
}

// Two resolvers that differ by their links alone are both asked, each over its own, by all
// transports.
func TestLinks(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client, _ := vpns(t)
	for transport, form := range map[string]string{
		"dns":   "10.0.0.53%tunN",
		"tls":   "tls://[10.0.0.53%tunN]%dns.example",
		"https": "https://[10.0.0.53%tunN]%dns.example",
		"quic":  "quic://[10.0.0.53%tunN]%dns.example:8853",
	} {
		t.Run(transport, func(t *testing.T) {
			l := client.in(t)
			l.resolvConf(strings.ReplaceAll(form, "N", "0"), strings.ReplaceAll(form, "N", "1"))
			p := l.coredns(`.:5553 {
				bind 127.0.0.1
				dnsmus resolv.conf.dnsmus {
					tls ca.pem
				}
				errors
			}`).awaits(ask + "www.zone0.example")
			for i := range 10 {
				for zone := range 2 {
					for _, network := range []string{"", "+tcp "} {
						l.expect(fmt.Sprintf("%s%shost%d.zone%d.example", ask, network, i, zone), fmt.Sprintf("NOERROR 10.%d.0.1", zone))
					}
				}
				l.expect(fmt.Sprintf("%shost%d.example", ask, i), "NXDOMAIN")
			}
			p.Kill()
		})
	}
}

// A link that goes is waited for by nobody; when it is back, has another name or is
// another by that name, it is used at once.
func TestLinkGoes(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client, servers := vpns(t)
	client.resolvConf("10.0.0.53%tun0", "10.0.0.53%tun1")
	p := client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus {
			patience 1m
			timeout 1m
		}
		errors
	}`).awaits(ask + "www.zone0.example")
	n := 0
	here := func(what string) {
		t.Helper()
		n++
		begun := time.Now()
		for zone := range 2 {
			client.becomes(fmt.Sprintf("%shost%d.zone%d.example", ask, n, zone), fmt.Sprintf("NOERROR 10.%d.0.1", zone))
		}
		t.Logf("%s: both are answered for after %v", what, time.Since(begun))
		if t.Failed() {
			t.Fatal(what)
		}
	}
	away := func(what string) {
		t.Helper()
		n++
		begun := time.Now()
		client.becomes(fmt.Sprintf("%shost%d.zone1.example", ask, n), "NXDOMAIN")
		took := time.Since(begun)
		if took > 30*time.Second { // patience is a minute
			t.Errorf("%s: a denial takes %v", what, took)
		}
		asked := time.Now()
		client.expect(fmt.Sprintf("%sagain%d.zone1.example", ask, n), "NXDOMAIN")
		t.Logf("%s: the first denial after %v, the next in %v", what, took, time.Since(asked))
		client.expect(fmt.Sprintf("%shost%d.zone0.example", ask, n), "NOERROR 10.0.0.1")
	}
	here("both are there")
	for range 3 {
		client.run("ip", "link", "set", "tun1", "down")
		away("it is down")
		client.run("ip", "link", "set", "tun1", "up")
		here("it is up")
		client.run("ip", "link", "delete", "tun1")
		away("it is gone")
		client.connect(servers[1], 1)
		here("another took its place")
		client.run("ip", "link", "set", "tun1", "name", "other")
		away("it has another name")
		client.run("ip", "link", "set", "other", "name", "tun1")
		here("it has its name again")
		client.run("ip", "addr", "delete", "10.0.0.2/8", "dev", "tun1")
		away("it has no address")
		client.run("ip", "addr", "add", "10.0.0.2/8", "dev", "tun1")
		here("it has an address")
	}
	for _, word := range []string{"10.0.0.53%tun1]:53 is down: interface tun1 is down or missing", "10.0.0.53%tun1]:53 is asked over interface tun1 again"} {
		if !strings.Contains(p.Printed(), word) {
			t.Errorf("the log does not say %q:\n%s", word, p.Printed())
		}
	}
}

// An upstream to which no route leads over its link is asked as routes decide, as where
// IPsec takes packets that leave by another.
func TestLinkUnbound(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client := newLab(t)
	server := addLab(t)
	client.connect(server, 0)
	server.fake("10.0.0.53", func(w dns.ResponseWriter, r *dns.Msg) {
		m := new(dns.Msg).SetReply(r)
		m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(10, 0, 0, 1)}}
		w.WriteMsg(m)
	})
	client.run("ip", "link", "add", "ipsec0", "type", "bridge")
	client.run("ip", "link", "add", "port0", "type", "veth", "peer", "name", "port1")
	client.run("ip", "link", "set", "port0", "master", "ipsec0", "up")
	client.run("ip", "link", "set", "port1", "up")
	client.run("ip", "addr", "add", "192.0.2.1/24", "dev", "ipsec0")
	client.run("ip", "link", "set", "ipsec0", "up")
	p := client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus 10.0.0.53%ipsec0 {
			patience 3s
			timeout 6s
		}
		errors
	}`)
	client.becomes(ask+"www.zone0.example", "NOERROR 10.0.0.1")
	testkit.Eventually(t, func() error {
		if !strings.Contains(p.Printed(), "no route via interface ipsec0; using the routing table") {
			return fmt.Errorf("the log does not say that it is not bound:\n%s", p.Printed())
		}
		return nil
	})
	client.run("ip", "route", "add", "10.0.0.53", "dev", "ipsec0") // where nobody is
	client.run("ip", "route", "add", "10.0.0.53", "dev", "tun0", "metric", "1")
	client.becomes(ask+"nobody.zone0.example", "SERVFAIL")
	client.run("ip", "route", "delete", "10.0.0.53", "dev", "ipsec0")
	client.becomes(ask+"again.zone0.example", "NOERROR 10.0.0.1")
}

// Names of two resolvers with the same address are asked for at a rate, while one of the
// links goes and comes. Those that are not behind it are all answered, and always; those
// that are, whenever it is there.
func TestLinksLoad(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client, servers := vpns(t)
	client.resolvConf("10.0.0.53%tun0", "10.0.0.53%tun1")
	client.coredns(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus
		errors
	}`).awaits(ask + "www.zone0.example")
	rate := testkit.Times(500, 5000)
	of := func(zones ...byte) *load {
		return client.loadOf("127.0.0.1:5553", rate,
			func(n uint32) string { return fmt.Sprintf("load%d.zone%d.example.", n, zones[int(n)%len(zones)]) },
			func(n uint32) net.IP { return net.IPv4(10, zones[int(n)%len(zones)], 0, 1) })
	}
	for range testkit.Times(1, 3) {
		both := of(0, 1)
		time.Sleep(time.Second)
		both.stop().mustAllBeGood(t)
		one := of(0)
		for range testkit.Times(2, 10) {
			time.Sleep(300 * time.Millisecond)
			client.run("ip", "link", "delete", "tun1")
			client.becomes(ask+"gone.zone1.example", "NXDOMAIN")
			time.Sleep(300 * time.Millisecond)
			client.connect(servers[1], 1)
			client.becomes(ask+"back.zone1.example", "NOERROR 10.1.0.1")
		}
		one.stop().mustAllBeGood(t)
	}
}
