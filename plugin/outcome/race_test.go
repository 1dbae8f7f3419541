package outcome

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

var host = dns.Question{Name: "host.example.", Qtype: dns.TypeA, Qclass: dns.ClassINET}

// waits sets how long is waited for replies, and until an upstream is down.
func waits(timeout, patience time.Duration) func(*option.Values) {
	return func(v *option.Values) { v.Rules.Timeout, v.Patience = timeout, patience }
}

const soon = testkit.Patience // in which a busy machine comes round to it

// begin starts to ask: until waits for what check wants, and end returns the outcome, if
// need be after stop was called.
func begin(t *testing.T, change func(*option.Values), upstreams ...behaviour) (until func(check func(*outcome) bool), end func() *outcome, stop func()) {
	t.Helper()
	v := option.Default()
	change(&v)
	var servers []server.Server
	for _, b := range upstreams {
		servers = append(servers, server.Plain(resolver(t, b)))
	}
	p := pool.New(pool.Config{Values: v})
	t.Cleanup(p.Close)
	p.Replace(servers)
	a, err := New(p, &v, host)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan *outcome, 1)
	go func() { done <- a.ask(ctx) }()
	until = func(check func(*outcome) bool) {
		t.Helper()
		for late := time.Now().Add(soon); !check(a.snapshot()); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("it does not come about: %+v", a.snapshot())
			}
		}
	}
	end = func() *outcome {
		t.Helper()
		select {
		case o := <-done:
			return o
		case <-time.After(soon):
			t.Fatal("no end")
			return nil
		}
	}
	return until, end, stop
}

func over(o *outcome) bool { return o.over }

// Once the race is over, packets that are lost are sent again all the same.
func TestLossAfterTheRace(t *testing.T) {
	t.Parallel()
	n := 0
	lossy := func(network string, m *dns.Msg) bool {
		n++
		return n > 2 && nxdomain(network, m)
	}
	_, end, _ := begin(t, waits(time.Minute, time.Minute), knows("host.example. 60 IN A 192.0.2.1"), lossy)
	if o := end(); o.winner != 0 || o.why(1) != "no such name" || o.verdict != race.Good {
		t.Errorf("%+v", o)
	}
}

// A reply that came too late is shown, but does not count for the verdict.
func TestLate(t *testing.T) {
	t.Parallel()
	wait := make(chan struct{})
	slow := func(network string, m *dns.Msg) bool {
		<-wait
		return knows("host.example. 60 IN A 192.0.2.1")(network, m)
	}
	until, end, _ := begin(t, waits(time.Minute, 500*time.Millisecond), nxdomain, slow)
	until(over)
	close(wait)
	o := end()
	if o.verdict != race.NXDomainSOA || o.conclusive || o.why(1) != "too late: good answer" || !slices.Equal(o.missing, []int{1}) || !o.results[1].late {
		t.Errorf("%s, %+v", o.why(1), o)
	}
	if s := o.api(); s.Upstreams[0].Late || !s.Upstreams[1].Late {
		t.Errorf("JSON says otherwise: %+v", s)
	}
}

// An upstream that was down when the race ended is asked again when it is back.
func TestBackAfterTheRace(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	away := func(network string, m *dns.Msg) bool {
		select {
		case <-back:
			return nxdomain(network, m)
		default:
			return false
		}
	}
	until, end, _ := begin(t, waits(time.Minute, 500*time.Millisecond), nodata, away)
	until(over)
	close(back)
	o := end()
	if o.verdict != race.NoDataSOA || o.conclusive || o.why(1) != "too late: no such name" {
		t.Errorf("%s, %+v", o.why(1), o)
	}
}

// One that is back is not down, though it stays silent to this name.
func TestBackAndSilent(t *testing.T) {
	t.Parallel()
	back := make(chan struct{})
	probed := func(network string, m *dns.Msg) bool {
		select {
		case <-back:
			return m.Question[0].Name == "." && nxdomain(network, m)
		default:
			return false
		}
	}
	until, end, _ := begin(t, waits(12*time.Second, 500*time.Millisecond), nodata, probed)
	until(func(o *outcome) bool { return o.results[1].down })
	close(back)
	o := end()
	if o.why(1) != "no reply in 12s, though it answers other queries" || o.results[1].late {
		t.Errorf("%s, %+v", o.why(1), o)
	}
	if s := o.api(); !o.conclusive && !s.Missing[0].Silent {
		t.Errorf("got %+v", s)
	}
}

// What comes while the race ends is kept apart from what came before.
func TestInTheMomentOfTheEnd(t *testing.T) {
	v := option.Default()
	answer := reply(knows("host.example. 60 IN A 192.0.2.1"))
	packed, err := answer.Pack()
	if err != nil {
		t.Fatal(err)
	}
	p := pool.New(pool.Config{Values: v})
	defer p.Close()
	p.Replace(make([]server.Server, 1))
	a, err := New(p, &v, host)
	if err != nil {
		t.Fatal(err)
	}
	a.legs, a.ended = []race.LegReport{{Verdict: race.Good, Msg: packed, At: time.Now(), Late: true}}, true
	a.over = a.decided(&pool.Result{Result: race.Result{Leg: -1, Errs: []error{race.ErrSilent}}}, new(dns.Msg), 0, false)
	if o := a.snapshot(); !o.results[0].late {
		t.Error("a reply to nobody is not late")
	}
	a.legs[0].Late = false
	a.over = a.decided(&pool.Result{Result: race.Result{Leg: 0, Verdict: race.Good}}, answer, 0, true)
	if o := a.snapshot(); o.interrupted || o.results[0].late || o.verdict != race.Good {
		t.Error("a good answer was interrupted")
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	spoken := func(o *outcome) bool { return !o.results[0].pending() }
	for _, tc := range []struct {
		what        string
		upstreams   []behaviour
		when        func(*outcome) bool
		interrupted bool
		verdict     string
		whys        []string
	}{
		{"in the race", []behaviour{nxdomain, silent}, spoken, true, "nxdomain", []string{"no such name", "no reply yet"}},
		{"before anybody spoke", []behaviour{silent}, func(*outcome) bool { return true }, true, "none", []string{"no reply yet"}},
		{"after the race", []behaviour{knows("host.example. 60 IN A 192.0.2.1"), silent}, over, false, "good", []string{"first good answer", "no reply yet"}},
	} {
		t.Run(tc.what, func(t *testing.T) {
			until, end, stop := begin(t, waits(time.Minute, time.Minute), tc.upstreams...)
			until(tc.when)
			stop()
			o := end().api()
			var whys []string
			for _, leg := range o.Upstreams {
				whys = append(whys, leg.Why)
			}
			if o.Interrupted != tc.interrupted || o.Verdict != tc.verdict || !slices.Equal(whys, tc.whys) {
				t.Errorf("%q, %+v", whys, o)
			}
		})
	}
}

// Signatures are asked for by DO, or not at all.
func TestNewSigned(t *testing.T) {
	q := dns.Question{Name: ".", Qtype: dns.TypeDNSKEY, Qclass: dns.ClassINET}
	plain, err := New(nil, nil, q)
	signed, err2 := NewSigned(nil, nil, q)
	if err != nil || err2 != nil || wire.DO(plain.message) || !wire.DO(signed.message) {
		t.Errorf("%v, %v: %x and %x", err, err2, plain.message, signed.message)
	}
}
