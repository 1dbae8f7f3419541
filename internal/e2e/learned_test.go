//go:build linux

package e2e

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// R18: while the company's resolver is away, be it stopped or cut off, a cache that may
// serve what is stale serves its names, and none is denied. R16: it alone was asked.
func TestR18ServedStale(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	client := newLab(t, "dnsmasq", "unbound")
	server := addLab(t)
	join(client, server, "10.9.0.2/24", company+"/24")
	resolver := server.dnsmasq(company, "53", "--address=/corp.example/10.1.0.10", "--local-ttl=1").awaits("@" + company + " wiki.corp.example")
	client.public()
	client.resolvConf("127.0.0.11", company)
	client.coredns(`.:5553 {
		bind 127.0.0.1
		cache {
			success 1000 1 0
			denial 1000 1 0
			serve_stale 1h verify
		}
		dnsmus resolv.conf.dnsmus {
			learn
			away
			patience 4s
			timeout 12s
		}
		errors
		prometheus 127.0.0.1:9153
	}`).awaits(ask + "wiki.corp.example")
	ways := []struct {
		what       string
		away, back func()
	}{
		{"stopped", func() { resolver.Signal(syscall.SIGSTOP) }, func() { resolver.Signal(syscall.SIGCONT) }},
		{"cut off", func() { client.run("ip", "link", "set", client.linkTo(server), "down") }, func() { client.run("ip", "link", "set", client.linkTo(server), "up") }},
	}
	for i, way := range ways {
		for j := range 10 {
			client.expect(fmt.Sprintf(ask+"host%d.corp.example", j), "NOERROR 10.1.0.10")
		}
		way.away()
		time.Sleep(2 * time.Second) // what is cached is stale then
		for range 2 {
			for j := range 10 {
				client.expect(fmt.Sprintf(ask+"host%d.corp.example", j), "NOERROR 10.1.0.10")
			}
		}
		client.expect(fmt.Sprintf(ask+"new%d.corp.example", i), "SERVFAIL")
		client.expect(ask+"nobody.example", "NXDOMAIN")
		way.back()
		client.eventually(func() error {
			if r := client.ask(fmt.Sprintf(ask+"new%d.corp.example", i)); r.String() != "NOERROR 10.1.0.10" {
				return fmt.Errorf("%s, and back: %s", way.what, r.text)
			}
			return nil
		})
	}
	if n := client.metric("127.0.0.1:9153", "coredns_dnsmus_queries_saved_total"); n == 0 {
		t.Error("no queries were saved")
	}
	if n := client.metric("127.0.0.1:9153", "coredns_dnsmus_away_total"); n < 2 {
		t.Errorf("%v denials became failures", n)
	}
}

// R16: the knower falls silent and comes back in the midst of a load, again and again;
// another knows the names too, a third denies them. No answer is lost, none is wrong.
func TestR16KnowerStops(t *testing.T) {
	l := newLoopback(t)
	var silent atomic.Bool
	knower := l.fake(func(q *dns.Msg) *dns.Msg {
		if silent.Load() {
			return nil
		}
		return answers(q)
	})
	other := l.fake(func(q *dns.Msg) *dns.Msg { time.Sleep(20 * time.Millisecond); return answers(q) })
	l.resolvConf(l.fake(denies), knower, other)
	port, metrics, _ := l.server("dnsmus resolv.conf.dnsmus {\n learn\n patience 2s\n}")
	load := l.load("127.0.0.1:"+port, 500)
	for range 3 {
		time.Sleep(time.Second)
		silent.Store(true)
		time.Sleep(4 * time.Second)
		silent.Store(false)
	}
	time.Sleep(time.Second)
	load.stop().mustAllBeGood(t)
	if n := metric(t, metrics, "coredns_dnsmus_queries_saved_total"); n == 0 { // how many depends on how quick it is
		t.Error("no queries were saved")
	}
}
