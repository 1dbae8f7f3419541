package handler

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// seriesWith returns the names of all metrics of an upstream.
func seriesWith(t *testing.T, to string) (names []string) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if l.GetName() == "to" && l.GetValue() == to {
					names = append(names, strings.TrimPrefix(f.GetName(), "coredns_dnsmus_"))
				}
			}
		}
	}
	return names
}

func TestUpstreamMetrics(t *testing.T) {
	t.Parallel()
	var silent, lost atomic.Bool
	var forged atomic.Int32
	lossy := resolver(t, func(a asked) {
		switch {
		case silent.Load():
		case a.msg.Question[0].Name == "one.example." && !lost.Swap(true):
		case a.msg.Question[0].Name == "two.example." && a.network == "udp": // forged, without knowing the id
			raw := a.pack(good)
			wire.Header(raw).SetID(wire.Header(raw).ID() + 1)
			forged.Add(1)
			a.raws(0, raw)
		default:
			a.reply(0, good)
		}
	})
	h := started(Config{Upstreams: plain(lossy), Values: option.Values{Rules: patientRules, Patience: time.Second}})
	server := serveHandler(t, h)
	s := observerOf(h.pool.Members()[0]).series
	expect := func(what string, c prometheus.Collector, want float64) {
		t.Helper()
		if got := testutil.ToFloat64(c); got != want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	expect("up at first", s.up, 1)
	mustExchange(t, "udp", server, question("one.example.", dns.TypeA))
	if testutil.ToFloat64(s.retransmits) == 0 {
		t.Error("no retransmit was counted")
	}
	mustExchange(t, "udp", server, question("two.example.", dns.TypeA))
	if n, most := testutil.ToFloat64(s.nearMisses), float64(forged.Load()); n < 1 || n > most { // on a busy machine it is asked again
		t.Errorf("near misses are %v, want 1 to %v", n, most)
	}
	expect("wins", s.wins, 2)
	silent.Store(true)
	var all sync.WaitGroup
	all.Go(func() { mustExchange(t, "udp", server, question("three.example.", dns.TypeA)) })
	is := func(what string, want float64) {
		t.Helper()
		testkit.Eventually(t, func() error {
			if got := testutil.ToFloat64(s.up); got != want {
				return fmt.Errorf("up %s is %v, want %v", what, got, want)
			}
			return nil
		})
	}
	is("when silent", 0)
	silent.Store(false)
	all.Wait()
	is("when back", 1)
	if n := testutil.CollectAndCount(requestDuration); n == 0 {
		t.Error("no times were observed")
	}
}

// The series of an upstream go with the last handler that has it.
func TestSeriesGo(t *testing.T) {
	one, two := netip.MustParseAddrPort("192.0.2.101:53"), netip.MustParseAddrPort("192.0.2.102:53")
	h := started(Config{Upstreams: plain(one, two), Values: option.Values{Rules: testRules, Patience: time.Second}})
	other := started(Config{Upstreams: plain(two), Values: option.Values{Rules: testRules, Patience: time.Second}})
	late := observerOf(h.pool.Members()[0])
	late.Replied(dns.RcodeSuccess, time.Second)
	const all = "near_misses_total retransmits_total upstream_failures_total upstream_request_duration_seconds upstream_up upstream_zones_unresponsive wins_total wrong_denials_total"
	if got := strings.Join(seriesWith(t, one.String()), " "); got != all {
		t.Errorf("series are %s", got)
	}
	replace(h.pool, plain(netip.MustParseAddrPort("192.0.2.103:53")))
	late.Replied(dns.RcodeSuccess, time.Second)
	late.Replied(dns.RcodeNameError, time.Second)
	if got := seriesWith(t, one.String()); got != nil {
		t.Errorf("after it was dropped there are %v", got)
	}
	if got := seriesWith(t, two.String()); got == nil {
		t.Error("the other handler's are gone too")
	}
	other.Stop()
	other.Stop()
	if got := seriesWith(t, two.String()); got != nil {
		t.Errorf("after the last of its users stopped there are %v", got)
	}
	replace(h.pool, plain(one))
	if got := seriesWith(t, one.String()); got == nil {
		t.Error("they do not come back")
	}
	h.Stop()
}

// An upstream that comes and goes does not fill the log; what it says of it last is true all the
// same, and is said when the upstream is dropped, at the latest.
func TestLogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := testkit.Logged(t)
		o := observe(plain(netip.MustParseAddrPort("192.0.2.1:53"))[0]).(*observer)
		o.Unresponsive(dns.TypeAAAA, true)
		turn := uint64(0)
		flap := func(n int) {
			for range n {
				o.Down(turn+1, 2*time.Second, 1)
				o.Up(turn+2, time.Minute)
				turn += 2
			}
		}
		const up = "Upstream 192.0.2.1:53 is"
		flap(100)
		if n := lines.Count(up); n != logBurst {
			t.Errorf("%d lines at once, want %d", n, logBurst)
		}
		time.Sleep(logEvery - time.Second)
		o.Down(turn+1, time.Second, 1)
		o.Up(turn+2, time.Minute)
		turn += 2
		time.Sleep(2 * time.Second)
		if last := "[INFO] plugin/dnsmus: Upstream 192.0.2.1:53 is up again after 1m0s (1s ago; lines dropped before: 191)\n"; lines.Count(up) != logBurst+1 || !strings.HasSuffix(lines.String(), last) {
			t.Errorf("the log does not end with one more line, %s", last)
		}
		time.Sleep(10 * logEvery)
		if n := lines.Count(up); n != logBurst+1 {
			t.Errorf("%d lines after a quiet time, want %d", n, logBurst+1)
		}
		o.Unresponsive(dns.TypeAAAA, false)
		if lines.Count("answers questions of type AAAA again") != 1 {
			t.Errorf("its flapping hides that it answers AAAA")
		}
		flap(logBurst)
		o.Down(turn+1, time.Second, 1)
		o.release()
		if last := "is down: no reply for 1s, queries waiting: 1 (0s ago; lines dropped before: 10)\n"; !strings.HasSuffix(lines.String(), last) {
			t.Errorf("the log does not end with %s", last)
		}
		n := len(lines.String())
		time.Sleep(10 * logEvery)
		if len(lines.String()) != n {
			t.Errorf("there are lines about it after it was dropped: %s", lines.String()[n:])
		}
	})
}

// The log has that an upstream fails, why, and when that is over; the metric
// counts.
func TestFailures(t *testing.T) {
	f := follow(t, Listeners{}, netip.MustParseAddrPort("127.0.0.1:1"))
	c := observerOf(f.h.pool.Members()[0])
	before, begun := testutil.ToFloat64(c.series.failures), time.Now()
	for range 3 {
		if got := address(t, f.server); got != "SERVFAIL" {
			t.Errorf("a closed port says %s", got)
		}
	}
	if n := testutil.ToFloat64(c.series.failures) - before; n != 3 {
		t.Errorf("%v failures, want 3", n)
	}
	if n := testutil.ToFloat64(c.series.retransmits); n != 0 && time.Since(begun) < 250*time.Millisecond { // the least time to one (R6)
		t.Errorf("%v retransmits", n)
	}
	c.Replied(dns.RcodeSuccess, 0)
	c.Replied(dns.RcodeSuccess, 0)
	if f.log.Count("Upstream 127.0.0.1:1 fails: ") != 1 || f.log.Count("connection refused") == 0 || f.log.Count("Upstream 127.0.0.1:1 replies again") != 1 {
		t.Errorf("log is %s", f.log)
	}
}

// The log has once that an upstream refuses everything, and when that is over. One
// that refuses now and then, as a server over its limit does, is no news.
func TestRefusals(t *testing.T) {
	f := follow(t, Listeners{}, netip.MustParseAddrPort("192.0.2.1:53"))
	o := observerOf(f.h.pool.Members()[0])
	say := func(rcode, times int) {
		for range times {
			o.Replied(rcode, 0)
		}
	}
	const refuses, over = "Upstream 192.0.2.1:53 has refused 20 queries in a row", "Upstream 192.0.2.1:53 no longer refuses"
	want := func(what string, lines, overs int) {
		t.Helper()
		if f.log.Count(refuses) != lines || f.log.Count(over) != overs {
			t.Errorf("%s: want %d and %d lines, log is %s", what, lines, overs, f.log)
		}
	}
	for range 5 {
		say(dns.RcodeRefused, manyRefusals-1)
		say(dns.RcodeNameError, 1)
	}
	want("now and then", 0, 0)
	say(dns.RcodeRefused, 10*manyRefusals)
	want("always", 1, 0)
	say(dns.RcodeSuccess, 3)
	want("no longer", 1, 1)
	say(dns.RcodeRefused, 10*manyRefusals)
	want("again", 2, 1)
}

// The log has once that others wait for a slow upstream, and when that is over; a slow name
// now and then is no news.
func TestSlowIsTold(t *testing.T) {
	f := follow(t, Listeners{}, netip.MustParseAddrPort("192.0.2.1:53"))
	o := observerOf(f.h.pool.Members()[0])
	say := func(took time.Duration, times int) {
		for range times {
			o.Replied(dns.RcodeNameError, took)
		}
	}
	want := func(what string, lines, overs int) {
		t.Helper()
		if f.log.Count("Upstream 192.0.2.1:53 is slow: others wait for it") != lines || f.log.Count("Upstream 192.0.2.1:53 is no longer slow") != overs {
			t.Errorf("%s: want %d and %d lines, log is %s", what, lines, overs, f.log)
		}
	}
	for range 100 {
		say(1200*time.Millisecond, 3)
		say(20*time.Millisecond, 4)
	}
	want("now and then", 0, 0)
	say(1200*time.Millisecond, 100)
	want("always", 1, 0)
	say(20*time.Millisecond, 4)
	say(1200*time.Millisecond, 100)
	want("but for a few", 1, 0)
	say(20*time.Millisecond, 100)
	want("no longer", 1, 1)
	say(1200*time.Millisecond, 100)
	want("again", 2, 1)
}

// An upstream that fails with errors is shown as down, to whichever handler it does, until it
// replies; a handler that has stopped changes nothing.
func TestFailingIsDown(t *testing.T) {
	one := netip.MustParseAddrPort("192.0.2.116:53")
	h := started(Config{Upstreams: plain(one), Values: option.Values{Rules: testRules, Patience: time.Second}})
	other := started(Config{Upstreams: plain(one), Values: option.Values{Rules: testRules, Patience: time.Second}})
	testkit.Logged(t)
	a, b := observerOf(h.pool.Members()[0]), observerOf(other.pool.Members()[0])
	up := func(when string, want float64) {
		t.Helper()
		if got := testutil.ToFloat64(a.series.up); got != want {
			t.Errorf("%s: up is %v, want %v", when, got, want)
		}
	}
	a.Failed(errors.New("port closed"))
	b.Replied(dns.RcodeSuccess, time.Millisecond)
	up("it fails to one", 0)
	a.Failed(errors.New("port closed"))
	a.Replied(dns.RcodeServerFailure, time.Millisecond)
	up("it replies", 1)
	a.Down(1, time.Second, 1)
	a.Failed(errors.New("no route"))
	a.Replied(dns.RcodeSuccess, time.Millisecond)
	up("it is down all the same", 0)
	a.Up(2, time.Second)
	up("it is up", 1)
	b.Failed(errors.New("port closed"))
	other.Stop()
	up("who saw it fail is gone", 1)
	b.Failed(errors.New("port closed"))
	up("who is gone sees it fail", 1)
	h.Stop()
}

// After a reload the old handler's last word on an upstream is not the new one's.
func TestGaugeAfterReload(t *testing.T) {
	one := netip.MustParseAddrPort("192.0.2.113:53")
	old := started(Config{Upstreams: plain(one), Values: option.Values{Rules: testRules, Patience: time.Second}})
	now := started(Config{Upstreams: plain(one), Values: option.Values{Rules: testRules, Patience: time.Second}})
	old.Stop()
	observerOf(old.pool.Members()[0]).Down(1, time.Second, 1) // found out by a query that was under way at the reload
	s := observerOf(now.pool.Members()[0]).series
	if got := testutil.ToFloat64(s.up); got != 1 {
		t.Errorf("up is %v, and stays, for to the only handler the upstream never was down", got)
	}
	now.Stop()
}

// After a reload that drops an upstream its series go.
func TestSeriesAfterReload(t *testing.T) {
	one, two := netip.MustParseAddrPort("192.0.2.114:53"), netip.MustParseAddrPort("192.0.2.115:53")
	old := started(Config{Upstreams: plain(one, two), Values: option.Values{Rules: testRules, Patience: time.Second}})
	observerOf(old.pool.Members()[0]).Down(2, time.Second, 1)
	now := started(Config{Upstreams: plain(two), Values: option.Values{Rules: testRules, Patience: time.Second}})
	old.Stop()
	if got := seriesWith(t, one.String()); got != nil {
		t.Errorf("dropped by a reload while it was down: %v stay, upstream_up 0 among them", got)
	}
	now.Stop()
}

// Changes between up and down that are reported in the wrong order leave the right state.
func TestPresenceInAnyOrder(t *testing.T) {
	h := started(Config{Upstreams: plain(resolver(t, denies(good)))})
	t.Cleanup(func() { h.Stop() })
	o := observerOf(h.pool.Members()[0])
	for _, turns := range [][]uint64{{1, 2}, {4, 3}, {6, 5, 7}, {9, 10, 8}} { // odd: down
		last := uint64(0)
		for _, turn := range turns {
			last = max(last, turn)
			if turn%2 == 1 {
				o.Down(turn, time.Second, 1)
			} else {
				o.Up(turn, time.Second)
			}
		}
		if got, want := testutil.ToFloat64(o.series.up), float64(1-last%2); got != want {
			t.Errorf("after turns %v: up is %v, want %v", turns, got, want)
		}
	}
}

// An upstream is shown as unresponsive for a type while it is to one of the server blocks that
// have it: a reload, a block that is removed and the recovery in another do not change that.
func TestUnresponsiveIsOfAll(t *testing.T) {
	addr := netip.MustParseAddrPort("192.0.2.116:53")
	start := func() (*Handler, *observer) {
		h := started(Config{Upstreams: plain(addr), Values: option.Values{Rules: testRules, Patience: time.Second}})
		return h, observerOf(h.pool.Members()[0])
	}
	shows := func(what string, want ...string) {
		t.Helper()
		var got []string
		families, err := prometheus.DefaultGatherer.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "coredns_dnsmus_upstream_type_unresponsive" && m.Label[0].GetValue() == addr.String() && m.Gauge.GetValue() == 1 {
					got = append(got, m.Label[1].GetValue())
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	one, o1 := start()
	two, o2 := start()
	o1.Unresponsive(dns.TypeAAAA, true)
	o2.Unresponsive(dns.TypeAAAA, true)
	o2.Unresponsive(dns.TypeHTTPS, true)
	shows("to both, and HTTPS to one", "AAAA", "HTTPS")
	o1.Unresponsive(dns.TypeAAAA, false)
	shows("one has found it well again", "AAAA", "HTTPS")
	o1.Unresponsive(dns.TypeMX, true)
	fresh, _ := start() // a reload: the new handler takes up the upstream before the old one stops
	one.Stop()
	shows("the one that found MX was reloaded", "AAAA", "HTTPS")
	o1.Unresponsive(dns.TypeMX, true) // the end of a query that was under way
	shows("the old one reports late", "AAAA", "HTTPS")
	two.Stop()
	shows("the other block was removed")
	if got := seriesWith(t, addr.String()); got == nil {
		t.Error("no series are left to the one that goes on")
	}
	fresh.Stop()
	if got := seriesWith(t, addr.String()); got != nil {
		t.Errorf("of nobody's upstream there are %v", got)
	}
}

// The zones in which an upstream is unresponsive to some server block are counted, once each.
// The log tells of each.
func TestUnresponsiveZonesAreOfAll(t *testing.T) {
	log := testkit.Logged(t)
	addr := netip.MustParseAddrPort("192.0.2.117:53")
	start := func() (*Handler, *observer) {
		h := started(Config{Upstreams: plain(addr), Values: option.Values{Rules: testRules, Patience: time.Second}})
		return h, observerOf(h.pool.Members()[0])
	}
	shows := func(what string, want float64) {
		t.Helper()
		if got := testutil.ToFloat64(upstreamUnresponsiveIn.WithLabelValues(addr.String())); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	one, o1 := start()
	two, o2 := start()
	o1.UnresponsiveIn("local.", true)
	o2.UnresponsiveIn("local.", true)
	o2.UnresponsiveIn("ads.example.", true)
	shows("one to both, and one to one", 2)
	o1.UnresponsiveIn("local.", false)
	shows("one has found it well again", 2)
	fresh, _ := start()
	two.Stop()
	shows("the one that found them was reloaded", 0)
	o2.UnresponsiveIn("local.", true)
	shows("the old one reports late", 0)
	one.Stop()
	fresh.Stop()
	if got := seriesWith(t, addr.String()); got != nil {
		t.Errorf("of nobody's upstream there are %v", got)
	}
	for text, want := range map[string]int{
		"Upstream 192.0.2.117:53 never answers questions for local. or names below it":    3,
		"Upstream 192.0.2.117:53 answers questions for local. or names below it again":    1,
		"Upstream 192.0.2.117:53 never answers questions for ads.example. or names below": 1,
	} {
		if got := log.Count(text); got != want {
			t.Errorf("%d lines with %q, want %d:\n%s", got, text, want, log)
		}
	}
}

// How many zones are known is told by those that learn now, and by all that are of a server.
func TestZonesKnown(t *testing.T) {
	const server = "dns://zones.example:53"
	shown := func() (zones float64, is bool) {
		families, err := prometheus.DefaultGatherer.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "coredns_dnsmus_zones_known" && m.Label[0].GetValue() == server {
					return m.Gauge.GetValue(), true
				}
			}
		}
		return 0, false
	}
	start := func(learn time.Duration) *Handler {
		h := knowingHandler(t, 0, func(c *Config) { c.Learn = learn }, resolver(t, denies(good)), resolver(t, denies(nxdomain)))
		h.metrics.all.Store(server, newServerMetrics(server)) // as a query to it does
		return h
	}
	one, two, plain := start(time.Minute), start(time.Minute), start(0)
	askHandler(t, one, question("host.a.example.", dns.TypeA))
	askHandler(t, one, question("host.b.example.", dns.TypeA))
	askHandler(t, two, question("host.c.example.", dns.TypeA))
	askHandler(t, plain, question("host.d.example.", dns.TypeA))
	if n, _ := shown(); n != 3 {
		t.Errorf("%v zones are known, want 3", n)
	}
	one.Stop()
	if n, _ := shown(); n != 1 {
		t.Errorf("when one has stopped %v zones are known, want 1", n)
	}
	two.Stop()
	if n, is := shown(); is {
		t.Errorf("when nobody learns any more %v zones are known", n)
	}
}

// A race that learns allocates for what is learned, not for a metric of it.
func TestLearningCountsFree(t *testing.T) {
	h := knowingHandler(t, 0, func(c *Config) { c.Learn = time.Minute }, resolver(t, denies(good)))
	out := &pool.Result{Members: h.pool.Members(), Result: race.Result{Leg: 0, Verdict: race.Good}}
	if n := testing.AllocsPerRun(100, func() { h.count(t.Context(), out) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
