package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// R13: of a server without EDNS that fails on all names but its own, these are answered, however
// many others were asked for before: the same error with and without EDNS has two reasons there.
func TestR13FailsOnOthers(t *testing.T) {
	for _, with := range []int{dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers, dns.RcodeServerFailure} {
		for _, without := range []int{dns.RcodeRefused, dns.RcodeServerFailure, dns.RcodeNotImplemented, dns.RcodeFormatError} {
			t.Run(dns.RcodeToString[with]+" "+dns.RcodeToString[without], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(func(p packet) {
						p.send(replyTo(p.msg, func(m *dns.Msg) {
							switch {
							case wire.HasOPT(p.msg):
								if with == dns.RcodeBadVers {
									m.SetEdns0(1232, false)
								}
								m.Rcode = with
							case asks(p.msg, "own.example."):
								good(m)
							default:
								m.Rcode = without
							}
						}))
					})
					u := f.upstream(t)
					for i := range 5 {
						if o := ask(u, withEDNS(fmt.Sprintf("host%d.example.", i))); o.reply == nil || wire.Rcode(o.reply) != without && with != dns.RcodeServerFailure {
							t.Errorf("another's: %v", o.reply)
						}
						if i < 3 {
							continue
						}
						if o := ask(u, withEDNS("own.example.")); !o.good() {
							t.Errorf("its own, after %d others: %v", i+1, o.reply)
						}
					}
				})
			})
		}
	}
}
