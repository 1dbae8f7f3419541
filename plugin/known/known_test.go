package known

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestRTT(t *testing.T) {
	var r RTT
	equal(t, "before any sample", r.Timeout(), firstRTO)
	r.Expired()
	equal(t, "after a loss", r.Timeout(), 2*firstRTO)
	for range 10 {
		r.Expired()
	}
	equal(t, "after many", r.Timeout(), maxRTO)

	r.Sample(200 * time.Millisecond)
	equal(t, "smoothed", r.smoothed, 200*time.Millisecond)
	equal(t, "deviation", r.deviation, 100*time.Millisecond)
	equal(t, "a sample takes the doublings back", r.Timeout(), 600*time.Millisecond)
	r.Sample(280 * time.Millisecond)
	equal(t, "smoothed", r.smoothed, 210*time.Millisecond)
	equal(t, "deviation", r.deviation, 95*time.Millisecond)

	for range 100 {
		r.Sample(time.Millisecond)
	}
	equal(t, "near", r.Timeout(), minRTO)
	for range toShift - 1 {
		r.Expired()
	}
	equal(t, "some losses", r.Timeout(), minRTO)
	r.Expired()
	equal(t, "too many for losses", r.Timeout(), 2*minRTO)
	for range 100 {
		r.Expired()
	}
	equal(t, "far too many", r.Timeout(), minRTO<<maxShift)
	for range 100 {
		r.Sample(10 * time.Second)
	}
	equal(t, "very far", r.Timeout(), maxRTO)
	r = RTT{}
	r.Sample(0) // a clock may be coarse
	equal(t, "no time at all", r.Timeout(), minRTO)
}

func TestHealth(t *testing.T) {
	start := instant.Now()
	at := func(d time.Duration) instant.Time { return start.Add(d) }
	for _, tc := range []struct {
		what       string
		heard      time.Duration // -1: never
		begun, now time.Duration
		down       bool
	}{
		{"never heard, waited long", -1, 0, 2 * time.Second, true},
		{"never heard, not yet", -1, 0, 2*time.Second - 1, false},
		{"heard before", 0, time.Second, 3 * time.Second, true},
		{"heard before, not yet", 0, time.Second, 2 * time.Second, false},
		{"heard since", 2 * time.Second, time.Second, 9 * time.Second, false},
		{"heard at that moment", time.Second, time.Second, 9 * time.Second, false},
	} {
		var h Health
		if tc.heard >= 0 {
			h.heard(at(tc.heard))
		}
		if got := h.silent(at(tc.begun), at(tc.now), 2*time.Second); got != tc.down || h.Down != tc.down {
			t.Errorf("%s: went down %v, is down %v; want %v", tc.what, got, h.Down, tc.down)
		}
		if h.silent(at(tc.begun), at(tc.now), 2*time.Second) {
			t.Errorf("%s: went down twice", tc.what)
		}
		h.heard(at(tc.now))
		if h.Down {
			t.Errorf("%s: down though it replies", tc.what)
		}
	}
}

func TestPath(t *testing.T) {
	var w Path
	now := instant.Now()
	if w.blocked(1) || w.Hopeless() || w.TryAgain(now) {
		t.Error("a path that nothing is known of is blocked")
	}
	for i := range uint8(mostFailures) {
		if !w.blocked(i) || w.blocked(i+1) || w.Hopeless() {
			t.Errorf("after %d failures: %+v", i, w)
		}
		w.Failed(now)
	}
	if !w.Hopeless() || w.TryAgain(now) || w.TryAgain(now.Add(firstRetry-1)) {
		t.Error("not hopeless, or tried again too soon")
	}
	tries := 0
	for at := now; at.Before(now.Add(10 * time.Minute)); at = at.Add(time.Second) {
		if w.TryAgain(at) {
			tries++
			w.Failed(at)
		}
	}
	if tries < 8 || tries > 15 {
		t.Errorf("tried %d times in ten minutes", tries)
	}
	w.Works(now)
	if w.blocked(1) || w.TryAgain(now.Add(time.Hour)) || w.Dead(now.Add(lastRetry)) || !w.Dead(now.Add(lastRetry+1)) {
		t.Errorf("when it works: %+v", w)
	}
}

func TestLatency(t *testing.T) {
	var p Latency
	equal(t, "patience at first", p.patience(2*time.Second, 4*time.Second), 2*time.Second)
	p.Sample(2300 * time.Millisecond)
	equal(t, "patience with the slow", p.patience(2*time.Second, 4*time.Second), 3450*time.Millisecond)
	p.Sample(3500 * time.Millisecond)
	equal(t, "patience at most", Latency(3500*time.Millisecond).patience(2*time.Second, 4*time.Second), 4*time.Second)
	p.Sample(20 * time.Millisecond)
	equal(t, "patience with the quick", p.patience(2*time.Second, 4*time.Second), 2*time.Second)
}

// Silences of questions that are not waited for count too, and a flood of types is bounded.
func TestTypes(t *testing.T) {
	var h Types
	now := instant.Now()
	for i := range enoughSilences {
		if h.Unresponsive(dns.TypeAAAA) {
			t.Fatalf("unresponsive after %d silences", i)
		}
		turned, probe := h.Unanswered(dns.TypeAAAA, now, time.Second)
		if turned != (i == enoughSilences-1) || probe != (i%2 == 0) {
			t.Errorf("silence %d: turned %v, probe %v", i, turned, probe)
		}
		if turned, probe = h.Unanswered(dns.TypeAAAA, now.Add(time.Second-1), time.Second); turned || probe {
			t.Errorf("one more in the same moment as silence %d: turned %v, probe %v", i, turned, probe)
		}
		now = now.Add(time.Second)
	}
	if turned, _ := h.Unanswered(dns.TypeAAAA, now.Add(time.Second), time.Second); turned || !h.Unresponsive(dns.TypeAAAA) || h.Unresponsive(dns.TypeA) {
		t.Error("turned twice, or unresponsive for another type")
	}
	for qtype := range uint16(1000) {
		h.Unanswered(1000+qtype, now, time.Second)
	}
	if len(h) > MaxTypes {
		t.Errorf("%d types are kept", len(h))
	}
	if !h.Answered(dns.TypeAAAA) || h.Unresponsive(dns.TypeAAAA) || h.Answered(dns.TypeAAAA) {
		t.Error("answered, it is still unresponsive")
	}
}

// R19: how long a reply is worth to be waited for: as long as one usually takes, where
// the upstream is known to sign, or nothing is known yet.
func TestR19Worth(t *testing.T) {
	now := instant.Now()
	at := func(d time.Duration) instant.Time { return now.Add(d) }
	var d DNSSEC
	want := func(what string, qtype uint16, timeout time.Duration, at instant.Time, want time.Duration) {
		t.Helper()
		if got := d.Worth(qtype, timeout, at); got != want {
			t.Errorf("%s: worth %v, want %v", what, got, want)
		}
	}
	for range 2 { // the second time an hour later
		for range trials {
			want("while nothing is known", dns.TypeA, firstRTO, now, firstRTO)
		}
		for range 50 {
			want("before there could be a reply", dns.TypeA, firstRTO, at(firstRTO-1), firstRTO)
		}
		want("then", dns.TypeA, firstRTO, at(firstRTO), 0)
		want("for a validator", dns.TypeDNSKEY, firstRTO, at(time.Second), firstRTO)
		want("for a validator", dns.TypeDS, time.Second, at(time.Second), maxWorth)
		want("later", dns.TypeA, firstRTO, at(signsFor-1), 0)
		now = at(signsFor)
	}
	d = DNSSEC{shown: now}
	want("known", dns.TypeA, 150*time.Millisecond, at(time.Minute), 150*time.Millisecond)
	want("known and slow", dns.TypeA, time.Second, at(time.Minute), maxWorth)
	d = DNSSEC{shown: now, begun: now, asked: trials}
	want("known no more, and asked anew", dns.TypeA, firstRTO, at(signsFor), firstRTO)
}
