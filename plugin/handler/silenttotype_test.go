package handler

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// R18: where the race for a type has taken all its time, since the one that knows the name is silent
// to that type, the name's addresses are asked for all the same, and the name is not denied.
func TestR18SilentToType(t *testing.T) {
	for _, tc := range []struct {
		known, asked uint16
		silent       []uint16
	}{
		{dns.TypeA, dns.TypeAAAA, []uint16{dns.TypeAAAA}},
		{dns.TypeA, dns.TypeMX, []uint16{dns.TypeAAAA, dns.TypeMX}},
		{dns.TypeAAAA, dns.TypeA, []uint16{dns.TypeA}},
		{dns.TypeAAAA, dns.TypeHTTPS, []uint16{dns.TypeHTTPS}},
		{dns.TypeAAAA, dns.TypeHTTPS, []uint16{dns.TypeA, dns.TypeHTTPS}},
		{dns.TypeNone, dns.TypeMX, []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX}},
	} {
		t.Run(dns.Type(tc.known).String()+" is known, "+dns.Type(tc.asked).String()+" is asked", func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T, v *virtual) {
				denies, knows := v.resolver("192.0.2.1", time.Millisecond), v.resolver("192.0.2.2", 20*time.Millisecond)
				knows.says = func(q *dns.Msg) *dns.Msg {
					m := new(dns.Msg).SetReply(q)
					m.RecursionAvailable = true
					switch qtype := q.Question[0].Qtype; {
					case slices.Contains(tc.silent, qtype) && q.Question[0].Name == "host.example.":
						return nil
					case qtype == tc.known && qtype == dns.TypeA:
						m.Answer = []dns.RR{rr(q.Question[0].Name + " 60 IN A 10.1.0.10")}
					case qtype == tc.known:
						m.Answer = []dns.RR{rr(q.Question[0].Name + " 60 IN AAAA 2001:db8::10")}
					default:
						m.Rcode = dns.RcodeNameError
					}
					return m
				}
				k := v.keeps(t, func(o *option.Values) { o.Cache = 0 }, denies, knows)
				defer k.Stop()
				want := dns.RcodeSuccess
				if tc.known == dns.TypeNone {
					want = dns.RcodeNameError
				}
				timeout := option.Default().Rules.Timeout
				var all sync.WaitGroup
				for range 6 {
					all.Go(func() {
						begun := time.Now()
						r := k.ask(question("host.example.", tc.asked))
						if took := time.Since(begun); r.Rcode != want || took < timeout || took > timeout+700*time.Millisecond {
							t.Errorf("%s after %v, want %s", dns.RcodeToString[r.Rcode], took, dns.RcodeToString[want])
						}
					})
				}
				all.Wait()
			})
		})
	}
}
