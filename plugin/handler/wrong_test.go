package handler

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// blocked is what a filter says of a name.
func blocked(m *dns.Msg) {
	nxdomain(m)
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked}}
}

// A good answer that comes after the denial of its race is counted, remembered and told, unless the
// denial is meant.
func TestR25WrongDenials(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what   string
		name   string
		denial func(*dns.Msg)
		change func(*Config)
		wrong  bool
	}{
		{what: "too late", denial: nxdomain, wrong: true, change: func(c *Config) { c.Rules.Timeout = 200 * time.Millisecond }},
		{what: "no such type, and too late", denial: soa, wrong: true, change: func(c *Config) { c.Rules.Timeout = 200 * time.Millisecond }},
		{what: "without a control socket", denial: nxdomain, wrong: true, change: func(c *Config) {
			c.Control, c.Learn, c.Rules.Timeout = false, time.Minute, 200*time.Millisecond
		}},
		{what: "a filter's", denial: blocked, change: func(c *Config) { c.Rules.Filtered = true }},
		{what: "special", name: "mask.icloud.com.", denial: nxdomain},
		{what: "good", denial: good},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			said := make(chan struct{})
			var may events
			late := resolver(t, func(a asked) {
				if a.name() == "." {
					return
				}
				go func() {
					<-may.of("late")
					a.reply(0, good)
					select {
					case said <- struct{}{}:
					default:
					}
				}()
			})
			h := controlledHandler(t, tc.change, resolver(t, denies(tc.denial)), late)
			before := testutil.ToFloat64(wrongDenials.WithLabelValues(late.String()))
			var watch *watcher
			if h.cfg.Control {
				watch = newWatcher(t, h, "")
			}
			if tc.name == "" {
				tc.name = "host.corp.example."
			}
			q := question(tc.name, dns.TypeA)
			q.SetEdns0(1232, false)
			if _, err := askHandler(t, h, q); err != nil {
				t.Fatal(err)
			}
			may.happened("late")
			want := before
			if tc.wrong {
				want++
			}
			if !tc.wrong {
				<-said
				// The reply of another race comes after this one's, so both have been read then.
				askHandler(t, h, question("other.corp.example.", dns.TypeA))
			}
			testkit.Eventually(t, func() error {
				if got := testutil.ToFloat64(wrongDenials.WithLabelValues(late.String())); got != want {
					return fmt.Errorf("%v wrong denials, want %v", got, want)
				}
				return nil
			})
			if watch == nil {
				return
			}
			if e := watch.next(t, api.EventLate); e.WouldHaveWon != tc.wrong || e.Upstream != late.String() || e.Verdict != "good" || e.ID == "" {
				t.Errorf("%+v", e)
			}
			all := historyOf(t, h, "name="+tc.name)
			if tc.wrong && (len(all) != 1 || len(all[0].Late) != 1 || all[0].Late[0].Upstream != late.String() || all[0].Why.Kind != api.WhyLate) {
				t.Errorf("%+v", all)
			}
			if n := stateOf(t, h).Hour.WrongDenials; n != int(want-before) {
				t.Errorf("%d are counted", n)
			}
		})
	}
}
