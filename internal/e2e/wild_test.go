//go:build linux

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The company's resolver, a dnsmasq that knows wiki.corp.example and what is below it.
const company = "10.9.0.1"

// wild is a client with a public resolver, which denies everything, and a link to the
// company's.
func wild(t *testing.T) (client, server *lab) {
	t.Helper()
	client = newLab(t, "dnsmasq", "unbound", "iptables")
	server = addLab(t)
	join(client, server, "10.9.0.2/24", company+"/24")
	server.dnsmasq(company, "53", "--address=/corp.example/10.1.0.10", "--local-ttl=60").awaits("@" + company + " wiki.corp.example")
	client.public()
	client.resolvConf("127.0.0.11", company)
	return client, server
}

// public is a resolver that denies every name, for half an hour.
func (l *lab) public() {
	l.Helper()
	l.unbound("127.0.0.11", `local-zone: "." static`,
		`local-data: ". 1800 SOA ns.public.example. hostmaster.public.example. 1 3600 600 86400 1800"`).awaits("@127.0.0.11 . SOA")
}

// raced is dnsmus before both, with the given plugins before it, and on port 5555 with
// all that can be learned. Without other plugins replies are held against what is told.
func (l *lab) raced(plugins string) {
	l.Helper()
	l.coredns(fmt.Sprintf(`.:5553 {
		bind 127.0.0.1
		%[1]s
		dnsmus resolv.conf.dnsmus {
			control %[2]s
		}
		errors
	}
	.:5555 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus {
			control %[2]s
			learn
			prefer order
			away
		}
		errors
	}
	.:5554 {
		bind 127.0.0.1
		whoami
	}`, plugins, l.control())).awaits("@127.0.0.1 -p 5554 ready.example")
	if plugins == "" {
		l.inspect()
	}
}

// R6: whatever a network lets through to the company's resolver is enough: no name of
// the company is denied, neither at first nor later.
func TestWildPaths(t *testing.T) {
	t.Parallel()
	udp, tcp := "-p udp --dport 53 ", "-p tcp --dport 53 "
	in, out := "INPUT ", "OUTPUT -d "+company+" "    // at the server, at the client
	for name, rules := range map[string][2][]string{ // of the client, of the server
		"UDP dropped":                     {nil, {in + udp + "-j DROP"}},
		"UDP refused":                     {nil, {in + udp + "-j REJECT"}},
		"UDP prohibited":                  {nil, {in + udp + "-j REJECT --reject-with icmp-admin-prohibited"}},
		"UDP forbidden here":              {{out + udp + "-j DROP"}, nil},
		"TCP dropped":                     {nil, {in + tcp + "-j DROP"}},
		"TCP refused":                     {nil, {in + tcp + "-j REJECT --reject-with tcp-reset"}},
		"a third of what leaves is lost":  {{out + "-p udp -m statistic --mode random --probability 0.3 -j DROP"}, nil},
		"a third of what arrives is lost": {nil, {in + udp + "-m statistic --mode random --probability 0.3 -j DROP"}},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := wild(t)
			for i, l := range []*lab{client, server} {
				for _, rule := range rules[i] {
					l.run(append([]string{"iptables", "-A"}, strings.Fields(rule)...)...)
				}
			}
			client.raced("")
			for _, port := range []string{"5553", "5555"} {
				for i := range 12 {
					for _, transport := range []string{"+notcp", "+tcp"} {
						client.expect(fmt.Sprintf("@127.0.0.1 -p %s host%d.corp.example %s", port, i, transport), "NOERROR 10.1.0.10")
					}
				}
				client.expect("@127.0.0.1 -p "+port+" nobody.example", "NXDOMAIN")
			}
		})
	}
}

// R6: replies that come from another address than was asked are nobody's; TCP is
// asked.
func TestWildOtherAddress(t *testing.T) {
	testkit.Need(t, true, "nft")
	client, server := wild(t)
	server.run("ip", "addr", "add", "10.9.0.9/24", "dev", server.linkTo(client))
	server.run("nft", "add table ip other; "+
		"add chain ip other out { type filter hook output priority -300 ; }; "+
		"add rule ip other out udp sport 53 ip saddr set 10.9.0.9")
	client.run("iptables", "-A", "INPUT", "-p", "udp", "-s", "10.9.0.9", "--sport", "53") // counts
	if r := client.ask("+notcp +time=1 @" + company + " wiki.corp.example"); r.status != "" {
		t.Fatalf("replies come from the address that was asked: %s", r.text)
	}
	if seen := client.run("iptables", "-S", "INPUT", "-v"); !strings.Contains(seen, "-c 1 ") {
		t.Fatalf("no reply comes from the other address: %s", seen)
	}
	client.raced("")
	for i := range 6 {
		client.expect(fmt.Sprintf("@127.0.0.1 -p 5553 host%d.corp.example", i), "NOERROR 10.1.0.10")
	}
}

// R7: a dnsmasq that is asked more than it can forward says REFUSED. That is no denial:
// under a cache the name is known again in some seconds, not in half an hour.
func TestWildBusy(t *testing.T) {
	client := newLab(t, "dnsmasq", "iptables", "unbound")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", company+"/24")
	// Behind it is nobody who answers for slow.example.
	server.unbound("127.0.0.12", `local-zone: "corp.example." redirect`, `local-data: "corp.example. 60 A 10.1.0.10"`,
		"forward-zone:", "name: slow.example", "forward-addr: 127.0.0.99").awaits("@127.0.0.12 a.corp.example")
	server.dnsmasq(company, "53", "--dns-forward-max=1", "--cache-size=0", "--server=127.0.0.12").
		awaits("@" + company + " wiki.corp.example")
	client.public()
	client.resolvConf("127.0.0.11", company)
	client.raced("cache")
	server.run("iptables", "-A", "INPUT", "-d", "127.0.0.99", "-j", "DROP")
	// One query that nobody answers fills it, again and again.
	filling, idle := context.WithCancel(t.Context())
	var filler sync.WaitGroup
	defer filler.Wait()
	defer idle()
	filler.Go(func() {
		for i := 0; filling.Err() == nil; i++ {
			client.ask(fmt.Sprintf("+time=1 @%s x%d.slow.example", company, i))
			time.Sleep(20 * time.Millisecond)
		}
	})
	var name string
	var r reply
	n := 0
	client.eventually(func() error {
		n++
		name = fmt.Sprintf("@127.0.0.1 -p 5553 name%d.corp.example", n)
		if r = client.ask(name); r.status != "NXDOMAIN" {
			return fmt.Errorf("it is not busy yet: %s", r.text)
		}
		return nil
	})
	for _, soa := range r.sections["AUTHORITY"] {
		if fields := strings.Fields(soa); len(fields) > 1 && len(fields[1]) > 1 {
			t.Errorf("beside REFUSED a denial may be cached for %s s", fields[1])
		}
	}
	idle()
	filler.Wait()
	client.eventually(func() error {
		if r := client.ask(name); r.String() != "NOERROR 10.1.0.10" {
			return fmt.Errorf("when it is idle: %s", r.text)
		}
		return nil
	})
}

// refers is a server that does not recurse: it refers to others.
func (l *lab) refers(addr string) {
	l.Helper()
	l.write("named.conf", fmt.Sprintf(`options {
	directory %q;
	listen-on { %s; };
	listen-on-v6 { none; };
	pid-file none;
	recursion no;
};
zone "example" { type primary; file "example.zone"; };
`, l.dir, addr))
	l.write("example.zone", "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.12\ncorp NS ns.corp\nns.corp A 127.0.0.99\n")
	l.run("ip", "addr", "replace", addr+"/8", "dev", "lo")
	l.start("named", "-g", "-c", "named.conf").awaits("@" + addr + " ns.example")
}

// R3: a server that does not recurse refers to others. That is no denial and no NODATA:
// beside it NXDOMAIN stands, and a third that knows the name is believed.
func TestWildReferral(t *testing.T) {
	l := newLab(t, "named", "unbound", "dnsmasq")
	l.refers("127.0.0.12")
	l.public()
	l.resolvConf("127.0.0.12", "127.0.0.11")
	l.raced("")
	if r := l.ask("@127.0.0.12 wiki.corp.example"); r.status != "NOERROR" || len(r.sections["ANSWER"]) > 0 {
		t.Fatalf("no referral: %s", r.text)
	}
	l.expect("@127.0.0.1 -p 5553 wiki.corp.example", "NXDOMAIN")
	l.dnsmasq("127.0.0.13", "53", "--address=/corp.example/10.1.0.10").awaits("@127.0.0.13 wiki.corp.example")
	l.resolvConf("127.0.0.12", "127.0.0.11", "127.0.0.13")
	l.eventually(func() error {
		if r := l.ask("@127.0.0.1 -p 5553 wiki.corp.example"); r.String() != "NOERROR 10.1.0.10" {
			return fmt.Errorf("%s", r.text)
		}
		return nil
	})
}

// R8: a truncated reply, of which TCP is filtered, is an answer: clients on UDP are
// told that there is more, those on TCP that it failed, and nobody that there is none.
func TestWildTruncated(t *testing.T) {
	client := newLab(t, "dnsmasq", "unbound", "iptables")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", company+"/24")
	var many []string
	for i := range 600 {
		many = append(many, fmt.Sprintf(`local-data: "many.corp.example. 60 A 10.7.%d.%d"`, i/250, i%250+1))
	}
	server.unbound(company, append([]string{`local-zone: "corp.example." static`, `local-data: "few.corp.example. 60 A 10.1.0.10"`}, many...)...).
		awaits("@" + company + " few.corp.example")
	server.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "53", "-j", "DROP")
	client.public()
	client.resolvConf("127.0.0.11", company)
	client.raced("")
	for range 3 {
		if r := client.ask("+ignore +notcp @127.0.0.1 -p 5553 many.corp.example"); r.status != "NOERROR" || !strings.Contains(strings.Join(r.flags, " "), "tc") {
			t.Errorf("over UDP, want TC: %s", r.text)
		}
		if r := client.ask("+tcp @127.0.0.1 -p 5553 many.corp.example"); r.status != "SERVFAIL" || !strings.Contains(r.text, "EDE") {
			t.Errorf("over TCP, want SERVFAIL with a reason: %s", r.text)
		}
	}
	client.expect("@127.0.0.1 -p 5553 few.corp.example", "NOERROR 10.1.0.10")
}

// R5, R18: behind a gateway that drops questions for AAAA, glibc's getaddrinfo finds
// the IPv4 address of a name soon, and does not lose it to the denial of others.
func TestWildUnresponsive(t *testing.T) {
	client, server := wild(t)
	// The end of a name, and what follows in a question for AAAA.
	server.run("iptables", "-A", "INPUT", "-m", "string", "--algo", "bm", "--hex-string", "|00001c0001|", "-j", "DROP")
	const waits = 5 * time.Second
	client.coredns(fmt.Sprintf(`.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus {
			patience %v
			timeout %v
		}
		errors
	}
	.:5554 {
		bind 127.0.0.1
		whoami
	}`, waits, 2*waits)).awaits("@127.0.0.1 -p 5554 ready.example")
	n := 0
	client.eventually(func() error {
		n++
		client.expect(fmt.Sprintf("+time=20 @127.0.0.1 -p 5553 host%d.corp.example A", n), "NOERROR 10.1.0.10")
		begun := time.Now()
		r := client.ask(fmt.Sprintf("+time=20 @127.0.0.1 -p 5553 host%d.corp.example AAAA", n))
		if r.String() != "NOERROR" {
			t.Errorf("AAAA beside a proof that the name exists: %s", r.text)
		}
		if took := time.Since(begun); took > waits/2 {
			return fmt.Errorf("what is never answered is still waited for after %d names: %v", n, took)
		}
		return nil
	})
}
