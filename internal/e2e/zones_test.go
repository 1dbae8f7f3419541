//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// R5: a resolver that drops all names below local is not waited for there, once that is known,
// however it is asked; after a reload, too. Other names are as they were, and so is local once
// it is answered.
func TestZoneDropped(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	router, client := newLab(t), addLab(t)
	join(client, router, "10.0.0.1/24", "10.0.0.53/24")
	client.run("ip", "addr", "add", "fd00::1/64", "dev", client.linkTo(router), "nodad")
	router.run("ip", "addr", "add", "fd00::53/64", "dev", router.linkTo(client), "nodad")
	router.run("ip", "addr", "add", "10.0.0.54/24", "dev", router.linkTo(client))
	drops := func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable = true
		switch name := strings.ToLower(q.Question[0].Name); {
		case dns.IsSubDomain("local.", name) && !strings.HasPrefix(name, "back"):
			return
		case q.Question[0].Qtype == dns.TypeA:
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: []byte{192, 0, 2, 1}}}
		}
		w.WriteMsg(m)
	}
	router.fake("10.0.0.53", drops)
	router.fake("[fd00::53]", drops)
	router.fake("10.0.0.54", func(w dns.ResponseWriter, q *dns.Msg) { w.WriteMsg(new(dns.Msg).SetRcode(q, dns.RcodeNameError)) })
	_, _, cfg := client.authority("ca").issue("dns", x509.Certificate{})
	router.inside(func() {
		listener, err := tls.Listen("tcp", "10.0.0.53:853", cfg)
		if err != nil {
			t.Fatal(err)
		}
		s := &dns.Server{Listener: listener, Handler: dns.HandlerFunc(drops)}
		go s.ActivateAndServe()
		t.Cleanup(func() { listener.Close() })
	})
	for what, form := range map[string]string{"IPv4": "10.0.0.53", "IPv6": "[fd00::53]:53", "TLS": "tls://10.0.0.53%dns.example"} {
		t.Run(what, func(t *testing.T) {
			l := client.in(t)
			l.resolvConf("10.0.0.54", form)
			p := l.coredns(`.:5553 {
				bind 127.0.0.1
				prometheus 127.0.0.1:9153
				dnsmus resolv.conf.dnsmus {
					timeout 2s
					patience 1s
					tls ca.pem
				}
				errors
			}`).awaits(ask + "host.example")
			defer p.Kill()
			n := 0
			becomes := func(zones float64) {
				t.Helper()
				l.eventually(func() error {
					n++
					l.ask(fmt.Sprintf("%shost%d.example", ask, n))
					l.ask(fmt.Sprintf("%shost%d.local", ask, n))
					if got := l.metric("127.0.0.1:9153", "coredns_dnsmus_upstream_zones_unresponsive"); got != zones {
						return fmt.Errorf("%v zones, want %v", got, zones)
					}
					return nil
				})
			}
			becomes(1)
			p.prints("never answers questions for local. or names below it")
			l.becomes(fmt.Sprintf("%shost%d.local", ask, n+1), "NXDOMAIN")
			l.becomes(fmt.Sprintf("%shost%d.example", ask, n+1), "NOERROR 192.0.2.1")
			l.ask(ask + "back.local")
			p.prints("answers questions for local. or names below it again")
			p.reloads()
			becomes(1)
			p.printsTimes(2, "never answers questions for local. or names below it")
		})
	}
}
