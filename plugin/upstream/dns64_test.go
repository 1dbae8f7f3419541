package upstream

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// R4: whether an upstream makes IPv6 addresses is known from one question, which no client asks:
// it is asked when that is first of interest, and when the upstream is back or its link leads
// another way. Nothing is known by an error.
func TestR4Makes64(t *testing.T) {
	for _, tc := range []struct {
		what  string
		reply func(m *dns.Msg)
		want  bool
	}{
		{"it does", func(m *dns.Msg) {
			rr, _ := dns.NewRR("ipv4only.arpa. 60 IN AAAA 64:ff9b::c000:aa")
			m.Answer = []dns.RR{rr}
		}, true},
		{"it does not", nil, false},
		{"it denies even the name", func(m *dns.Msg) { m.Rcode = dns.RcodeNameError }, false},
		{"it fails", func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }, true},
		{"it refuses", func(m *dns.Msg) { m.Rcode = dns.RcodeRefused }, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int32
			var silent atomic.Bool
			f := newFake(nil)
			f.script(func(p packet) {
				if silent.Load() {
					return
				}
				if wire.SameQuestion(wire.Question(p.msg), wire.Question(ipv4only)) {
					asked.Add(1)
					time.AfterFunc(900*ms, func() { p.send(replyTo(p.msg, tc.reply)) })
					return
				}
				p.send(replyTo(p.msg, nil))
			})
			u := f.upstream(t)
			expect := func(when string, want bool, times int32) {
				t.Helper()
				if got := u.Makes64(); got != want || asked.Load() != times {
					t.Errorf("%s, %s: %v, asked %d times, want %d", tc.what, when, got, asked.Load(), times)
				}
			}
			ask(u, query("host.example."))
			if asked.Load() != 0 {
				t.Errorf("%s: asked before that was of interest", tc.what)
			}
			u.Makes64()
			synctest.Wait()
			expect("before it replies", true, 1)
			time.Sleep(time.Second)
			expect("then", tc.want, 1)
			silent.Store(true)
			ask(u, query("host2.example."))
			time.Sleep(5 * time.Second)
			silent.Store(false)
			for range 40 { // until it is probed, and asked at once
				if time.Sleep(50 * ms); asked.Load() == 2 {
					break
				}
			}
			expect("back", true, 2)
			time.Sleep(time.Second)
			expect("then", tc.want, 2)
			u.Link(7, link.Unbound)
			synctest.Wait()
			expect("over another link", true, 3)
			time.Sleep(time.Second)
			expect("then", tc.want, 3)
		})
	}
}
