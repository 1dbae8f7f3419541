package handler

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// R5: no name of a company is denied by the resolver of another network, though the company's own
// has lost its way to the Internet and is silent to all other names and to probes.
func TestR5CompanyIsCutOff(t *testing.T) {
	for name, change := range map[string]func(*option.Values){
		"as it is":     nil,
		"force_tcp":    func(o *option.Values) { o.ForceTCP = true },
		"learn":        func(o *option.Values) { o.Learn = time.Minute },
		"prefer order": func(o *option.Values) { o.Prefer = option.Order },
	} {
		t.Run(name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, v *virtual) {
				v.takesTCP = true
				network := v.resolver("192.0.2.1", time.Millisecond, "known.web.example 192.0.2.80")
				company := v.resolver("192.0.2.2", 20*time.Millisecond)
				company.says = func(q *dns.Msg) *dns.Msg {
					name, m := q.Question[0].Name, new(dns.Msg).SetReply(q)
					if !strings.HasSuffix(strings.ToLower(name), ".corp.example.") {
						return nil
					}
					m.RecursionAvailable = true
					switch q.Question[0].Qtype {
					case dns.TypeA:
						m.Answer = []dns.RR{rr(name + " 60 IN A 10.0.0.1")}
					case dns.TypeAAAA:
						m.Answer = []dns.RR{rr(name + " 60 IN AAAA fd00::1")}
					case dns.TypeMX:
						m.Answer = []dns.RR{rr(name + " 60 IN MX 1 mail.corp.example.")}
					}
					return m
				}
				k := v.keeps(t, func(o *option.Values) {
					o.Cache = 0
					if change != nil {
						change(o)
					}
				}, network, company)
				var clients sync.WaitGroup
				foreign := func(after time.Duration, name, want string) {
					clients.Go(func() {
						time.Sleep(after)
						if got := k.gets(name); got != want {
							t.Errorf("%s is %s", name, got)
						}
					})
				}
				for i := range 30 {
					foreign(0, fmt.Sprintf("n%d.foreign.example", i), "NXDOMAIN")
					foreign(time.Duration(i)*500*time.Millisecond, fmt.Sprintf("n%d.web.example", i), "NXDOMAIN")
				}
				time.Sleep(k.cfg.Patience + time.Millisecond)
				for range 6 {
					clients.Go(func() {
						for i := range 20 {
							for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX} {
								clients.Go(func() {
									if r := k.ask(question(fmt.Sprintf("n%d.corp.example.", i), qtype)); len(r.Answer) == 0 {
										t.Errorf("n%d %s is %s", i, dns.TypeToString[qtype], dns.RcodeToString[r.Rcode])
									}
								})
							}
							time.Sleep(700 * time.Millisecond)
							if i%4 == 3 {
								time.Sleep(2*k.cfg.Patience + time.Second) // it goes down again
							}
						}
					})
				}
				clients.Wait()
			})
		})
	}
}
