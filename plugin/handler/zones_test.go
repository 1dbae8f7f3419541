package handler

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// R5: a resolver that drops the names of a zone is not waited for there, once that is known. Its
// answer counts all the same, the denial of the others is inconclusive, and the metric tells.
func TestR5Zone(t *testing.T) {
	t.Parallel()
	testkit.Logged(t)
	var back events
	router := resolver(t, func(a asked) {
		select {
		case <-back.of("router"):
		default:
			if dns.IsSubDomain("local.", a.name()) {
				return
			}
		}
		if a.msg.Question[0].Qtype == dns.TypeA {
			a.reply(0, good)
		}
	})
	others := resolver(t, denies(nxdomain))
	addr := serve(t, []netip.AddrPort{others, router}, nil, func(c *Config) {
		c.Rules.Timeout, c.Patience = 500*time.Millisecond, 250*time.Millisecond
	})
	n := 0
	ask := func(zone string) *dns.Msg {
		n++
		q := question(fmt.Sprintf("host%d.%s", n, zone), dns.TypeA)
		q.SetEdns0(1232, false)
		return mustExchange(t, "udp", addr, q)
	}
	// On a busy machine the router is also taken to be down now and then, and the log leaves out
	// what happens often: it is the metric that is waited for.
	unresponsive := func(want float64) func() error {
		return func() error {
			ask("example.") // that others are answered shows that it is up
			ask("local.")
			if got := testutil.ToFloat64(upstreamUnresponsiveIn.WithLabelValues(router.String())); got != want {
				return fmt.Errorf("the metric is %v, want %v", got, want)
			}
			return nil
		}
	}
	testkit.Eventually(t, unresponsive(1))
	testkit.Eventually(t, func() error {
		r := ask("local.")
		text := ""
		for _, o := range r.IsEdns0().Option {
			if ede, ok := o.(*dns.EDNS0_EDE); ok {
				text = ede.ExtraText
			}
		}
		if r.Rcode != dns.RcodeNameError || !strings.Contains(text, race.ErrUnresponsiveIn.Error()) || !strings.Contains(text, router.String()) {
			return fmt.Errorf("what is not waited for:\n%v", r)
		}
		return nil
	})
	back.happened("router")
	testkit.Eventually(t, unresponsive(0))
	testkit.Eventually(t, func() error {
		if r := ask("local."); len(r.Answer) != 1 {
			return fmt.Errorf("when it is back:\n%v", r)
		}
		return nil
	})
}
