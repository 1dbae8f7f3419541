package handler

import (
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
	for _, tc := range []wrongDenial{
		{what: "too late", denial: nxdomain, wrong: true},
		{what: "no such type, and too late", denial: soa, wrong: true},
		{what: "without a control socket", denial: nxdomain, wrong: true, change: func(c *Config) { c.Control, c.Learn = false, time.Minute }},
		{what: "a filter's", denial: blocked, change: func(c *Config) { c.Rules.Filtered = true }},
		{what: "special", name: "mask.icloud.com.", denial: nxdomain},
		{what: "good", denial: good},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			if !tc.wrong {
				tc.run(t, testkit.Patience)
				return
			}
			// The denial has to come within timeout, and the answer within twice that.
			for timeout := 200 * time.Millisecond; !tc.run(t, timeout); timeout *= 2 {
				if timeout > testkit.Patience/4 {
					t.Fatal("the denial is not taken to be wrong")
				}
			}
		})
	}
}

// wrongDenial is a race in which one upstream denies the name, or answers, and another has an
// answer when the race is over.
type wrongDenial struct {
	what   string
	name   string
	denial func(*dns.Msg)
	change func(*Config)
	wrong  bool
}

// run reports whether the denial counts as wrong, if it is: that takes replies within the timeout.
func (tc wrongDenial) run(t *testing.T, timeout time.Duration) bool {
	t.Helper()
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
	h := controlledHandler(t, func(c *Config) {
		if c.Rules.Timeout = timeout; tc.change != nil {
			tc.change(c)
		}
	}, resolver(t, denies(tc.denial)), late)
	counted := func() float64 { return testutil.ToFloat64(wrongDenials.WithLabelValues(late.String())) }
	before := counted()
	var watch *watcher
	if h.cfg.Control {
		watch = newWatcher(t, h, "")
	}
	if tc.name == "" {
		tc.name = "host.corp.example."
	}
	q := question(tc.name, dns.TypeA)
	q.SetEdns0(1232, false)
	r, err := askHandler(t, h, q)
	if err != nil {
		t.Fatal(err)
	}
	may.happened("late")
	want := before
	if tc.wrong {
		want++
		for end := time.Now().Add(3 * timeout); counted() != want; time.Sleep(time.Millisecond) {
			if r.Rcode == dns.RcodeServerFailure || time.Now().After(end) {
				return false
			}
		}
	} else {
		<-said
		// The reply of another race comes after this one's, so both have been read then.
		askHandler(t, h, question("other.corp.example.", dns.TypeA))
		if got := counted(); got != want {
			t.Errorf("%v wrong denials, want %v", got, want)
		}
	}
	if watch == nil {
		return true
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
	return true
}
