package handler

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/pkg/dnstest"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
)

// counted is a resolver that counts the names it is asked for, each once: a question
// may come again.
func counted(t *testing.T, behave func(asked)) (netip.AddrPort, *atomic.Int32) {
	t.Helper()
	n := new(atomic.Int32)
	var names sync.Map
	return resolver(t, func(a asked) {
		if _, again := names.LoadOrStore(a.name(), true); !again && a.name() != "." { // no probe
			n.Add(1)
		}
		behave(a)
	}), n
}

// askHandler has the handler serve a question, as a client of UDP has it.
func askHandler(t *testing.T, h *Handler, m *dns.Msg) (*dns.Msg, error) {
	t.Helper()
	w := dnstest.NewRecorder(&test.ResponseWriter{})
	_, err := h.ServeDNS(t.Context(), w, m)
	if w.Msg == nil {
		t.Fatalf("no reply, and %v", err)
	}
	return w.Msg, err
}

func knowingHandler(t *testing.T, wait time.Duration, change func(*Config), upstreams ...netip.AddrPort) *Handler {
	t.Helper()
	cfg := Config{Upstreams: plain(upstreams...), Values: option.Values{Rules: patientRules, Patience: testkit.Patience, NegativeTTL: 5 * time.Second}}
	change(&cfg)
	h := waiting(cfg, wait)
	t.Cleanup(func() { h.Stop() })
	return h
}

// R16: with learn one upstream is asked, and all of it is counted.
func TestR16Learn(t *testing.T) {
	company, seen := counted(t, denies(good))
	foreign, shown := counted(t, denies(nxdomain))
	h := knowingHandler(t, testkit.Patience, func(c *Config) { c.Learn = time.Minute }, foreign, company)
	m := h.metrics.of(t.Context())
	saved, fired, won := testutil.ToFloat64(m.saved), testutil.ToFloat64(m.hedges), testutil.ToFloat64(m.hedgesWon)
	for i := range 20 {
		if r, err := askHandler(t, h, question(fmt.Sprintf("host%d.corp.example.", i), dns.TypeA)); err != nil || len(r.Answer) != 1 {
			t.Fatalf("%v\n%v", err, r)
		}
	}
	othersSee := func(want int32) {
		t.Helper()
		testkit.Eventually(t, func() error { // the answer may be there first
			if n := shown.Load(); n != want {
				return fmt.Errorf("the other was asked %d times, want %d", n, want)
			}
			return nil
		})
	}
	othersSee(1)
	if seen.Load() != 20 {
		t.Errorf("the company was asked %d times", seen.Load())
	}
	if got, hedged := testutil.ToFloat64(m.saved)-saved, testutil.ToFloat64(m.hedges)-fired; got != 19 || hedged != 0 || testutil.ToFloat64(m.hedgesWon) != won || h.pool.KnownZones() != 1 {
		t.Errorf("%v saved, %v hedges, %v zones", got, hedged, h.pool.KnownZones())
	}
	replace(h.pool, plain(company, foreign)) // a new set knows nothing
	askHandler(t, h, question("host.corp.example.", dns.TypeA))
	othersSee(2)
}

// R15: replies that come when the race is over teach too. R17: that answers differ is
// reported once, and counted.
func TestR17Conflict(t *testing.T) {
	lines := testkit.Logged(t)
	address := func(text string) func(*dns.Msg) {
		return func(m *dns.Msg) { m.Answer = []dns.RR{rr(m.Question[0].Name + " 60 IN A " + text)} }
	}
	// The company's answer is too late for the first question.
	company, seen := counted(t, func(a asked) { a.reply(60*time.Millisecond, address("10.1.0.1")) })
	home := resolver(t, denies(address("192.0.2.1")))
	h := knowingHandler(t, time.Millisecond, func(c *Config) { c.Prefer = option.Private }, home, company)
	before := testutil.ToFloat64(conflicts)
	askHandler(t, h, question("www.Split.example.", dns.TypeA))
	is := func(got func() float64, want float64) {
		t.Helper()
		testkit.Eventually(t, func() error {
			if n := got(); n != want {
				return fmt.Errorf("%v, want %v", n, want)
			}
			return nil
		})
	}
	is(func() float64 { return testutil.ToFloat64(conflicts) }, before+1)
	for i := range 5 {
		askHandler(t, h, question(fmt.Sprintf("www%d.split.example.", i), dns.TypeA))
	}
	is(func() float64 { return float64(seen.Load()) }, 6)
	if n := lines.Count("give different answers in zone split.example.; the option prefer"); n != 1 || testutil.ToFloat64(conflicts) != before+1 {
		t.Errorf("told %d times:\n%s", n, lines)
	}
	h = knowingHandler(t, testkit.Patience, func(c *Config) { c.Prefer = option.Private }, home, company)
	for i := range 3 {
		if r, _ := askHandler(t, h, question(fmt.Sprintf("www%d.split.example.", i), dns.TypeA)); r.Answer[0].(*dns.A).A.String() != "10.1.0.1" {
			t.Errorf("got\n%v", r)
		}
	}
}

// R18: while the company's resolver is away its names are not denied, and the error names it.
func TestR18AwayIsReported(t *testing.T) {
	t.Parallel()
	var away atomic.Bool
	company := resolver(t, func(a asked) {
		if !away.Load() {
			a.reply(0, good)
		}
	})
	for _, servfail := range []bool{true, false} {
		away.Store(false)
		h := knowingHandler(t, 0, func(c *Config) {
			c.Away, c.Learn, c.Rules, c.Patience = servfail, time.Minute, testRules, 200*time.Millisecond
		}, resolver(t, denies(nxdomain)), company)
		testkit.Eventually(t, func() error { // it may be taken for away on a busy machine
			if r, _ := askHandler(t, h, question("host.corp.example.", dns.TypeA)); len(r.Answer) == 0 {
				return fmt.Errorf("the company does not answer yet:\n%v", r)
			}
			return nil
		})
		away.Store(true)
		m := question("other.corp.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		r, err := askHandler(t, h, m)
		if !servfail {
			if r.Rcode != dns.RcodeNameError {
				t.Errorf("off: got\n%v", r)
			}
			continue
		}
		if r.Rcode != dns.RcodeServerFailure || len(r.Ns) > 0 || err != nil {
			t.Errorf("%v, got\n%v", err, r)
		}
		if o := r.IsEdns0().Option; len(o) != 1 || o[0].(*dns.EDNS0_EDE).InfoCode != dns.ExtendedErrorCodeNoReachableAuthority || !strings.Contains(o[0].(*dns.EDNS0_EDE).ExtraText, company.String()) {
			t.Errorf("got\n%v", r)
		}
		if n := testutil.ToFloat64(h.metrics.of(t.Context()).away); n < 1 {
			t.Error("it is not counted")
		}
		if r, _ := askHandler(t, h, question("host.elsewhere.example.", dns.TypeA)); r.Rcode != dns.RcodeNameError {
			t.Errorf("a zone that nobody knows: got\n%v", r)
		}
		replace(h.pool, plain(resolver(t, denies(nxdomain)))) // an upstream that was removed does not count
		if r, _ := askHandler(t, h, question("host.corp.example.", dns.TypeA)); r.Rcode != dns.RcodeNameError {
			t.Errorf("it is not listed: got\n%v", r)
		}
		away.Store(false)
	}
}

// Nothing is learned with none of the options.
func TestNothingIsLearned(t *testing.T) {
	h := knowingHandler(t, 0, func(*Config) {}, resolver(t, denies(good)))
	askHandler(t, h, question("host.example.", dns.TypeA))
	if h.pool.KnownZones() != 0 {
		t.Error("something was")
	}
}
