package upstream

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The query that finds its upstream down is asked again when that is back, also
// where its packets are spent and TCP does not help.
func TestR5FinderIsAskedAgain(t *testing.T) {
	for _, tcp := range []string{"filtered", "refused"} {
		for _, back := range []time.Duration{1500 * ms, 2200 * ms, 2800 * ms} {
			t.Run(fmt.Sprintf("TCP %s, back after %v", tcp, back), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(func(packet) {})
					u := f.upstream(t, func(c *Config) {
						c.Dial = func(ctx context.Context, to udp.Peer) (net.Conn, error) {
							switch {
							case tcp == "filtered":
								<-ctx.Done()
								return nil, ctx.Err()
							}
							return nil, syscall.ECONNREFUSED
						}
					})
					time.AfterFunc(back, func() { f.script(answerAfter(10*ms, nil)) })
					if o := ask(u, query("host.example.")); !o.good() {
						t.Errorf("error %v, told down %v after %v", o.err, o.toldDown, o.down)
					}
				})
			})
		}
	}
}

// FORMERR over TCP from an upstream that was down.
func TestBackWithoutEDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t, forceTCP)
		ask(u, query("host.example."))
		m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		b, _ := m.Pack()
		f.script(func(p packet) {
			if wire.Header(p.msg).Additionals() > 0 {
				time.AfterFunc(10*ms, func() {
					p.send(replyTo(p.msg, func(m *dns.Msg) { m.Rcode = dns.RcodeFormatError; m.Extra = nil }))
				})
			} else if asks(p.msg, "host.example.") {
				answerAfter(200*ms, nil)(p)
			}
		})
		o := newOutcome()
		defer o.waitNoMore()
		u.Ask(&Query{Msg: b}, o)
		time.Sleep(100 * ms)
		u.mu.Lock()
		down := u.known.Down
		u.mu.Unlock()
		if !down && o.isDown() {
			t.Error("the upstream is up, but the last word to the race was that it is down")
		}
		time.Sleep(200 * ms)
		if !o.good() {
			t.Error("no reply")
		}
	})
}
