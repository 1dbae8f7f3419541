package race

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// growing is an Asker of upstreams of which some come while the race is on.
type growing struct {
	scripts []*script
	known   int          // so many legs there are
	here    atomic.Int32 // so many upstreams
}

func (g *growing) AskLeg(i int, leg *Leg) (Exchange, instant.Time) { return g.scripts[i].ask(leg) }
func (g *growing) Asked()                                          {}
func (g *growing) Follow(int, *Leg, []byte) bool                   { return false }

func (g *growing) More() int {
	more := int(g.here.Load()) - g.known
	g.known += more
	return more
}

// R7: a name is not denied by those alone who were there when the race began.
func TestR7MoreUpstreams(t *testing.T) {
	signs := func(s Setup) Setup { s.DNSSEC = true; return s }
	plan := Plan{Alone: true, First: 0, Hedge: 100 * ms}
	final := plan
	final.Final = true
	private := &Preference{Grace: 20 * ms, Private: true, Expected: []Expectation{{Rank: NoRank}}}
	inOrder := &Preference{Grace: 20 * ms, Expected: []Expectation{{Rank: NoRank}}}
	for _, tc := range []struct {
		what       string
		setup      Setup
		first      [][]event
		come       []time.Duration // when the others come
		others     [][]event
		untold     bool // the race is not told of it
		leg        int
		verdict    Verdict
		after      time.Duration
		conclusive bool
	}{
		{what: "who comes knows, and is not waited for", first: [][]event{says(50*ms, nxdomain), nil},
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, goodReply)},
			leg: 2, verdict: Good, after: 30 * ms, conclusive: true},
		{what: "who comes knows, and the others have denied by then", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{says(500*ms, goodReply)},
			leg: 1, verdict: Good, after: 520 * ms, conclusive: true},
		{what: "it is seen at the end at the latest", first: [][]event{says(50*ms, nxdomain)}, untold: true,
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, goodReply)},
			leg: 1, verdict: Good, after: 60 * ms, conclusive: true},
		{what: "who comes denies it too", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, nxdomain)},
			leg: 0, verdict: NXDomainSOA, after: 50 * ms, conclusive: true},
		{what: "who comes has NODATA", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, nodata)},
			leg: 1, verdict: NoDataSOA, after: 50 * ms, conclusive: true},
		{what: "who comes fails", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{{{10 * ms, errBroken}}},
			leg: 0, verdict: NXDomainSOA, after: 50 * ms},
		{what: "who comes is silent", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{nil},
			leg: 0, verdict: NXDomainSOA, after: timeout},
		{what: "who comes is down", first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{{{0, nil}}},
			leg: 0, verdict: NXDomainSOA, after: 50 * ms},
		{what: "too late to be asked", first: [][]event{says(50*ms, nxdomain), nil}, untold: true,
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, goodReply)},
			leg: 0, verdict: NXDomainSOA, after: timeout},
		{what: "several, one after another", first: [][]event{says(50*ms, nxdomain)},
			come:   []time.Duration{20 * ms, 30 * ms, 60 * ms, 60 * ms},
			others: [][]event{says(20*ms, nxdomain), says(100*ms, nodata), nil, says(200*ms, goodReply)},
			leg:    4, verdict: Good, after: 260 * ms, conclusive: true},
		{what: "the first one of all", first: nil, untold: true,
			come: []time.Duration{0}, others: [][]event{says(10*ms, goodReply)},
			leg: 0, verdict: Good, after: 10 * ms, conclusive: true},
		{what: "a good answer is not held up", first: [][]event{says(50*ms, goodReply)},
			come: []time.Duration{20 * ms}, others: [][]event{nil},
			leg: 0, verdict: Good, after: 50 * ms, conclusive: true},
		{what: "nor by a preference for private addresses", setup: Setup{Prefer: private}, first: [][]event{says(50*ms, goodReply)},
			come: []time.Duration{20 * ms}, others: [][]event{nil},
			leg: 0, verdict: Good, after: 50 * ms, conclusive: true},
		{what: "nor by the order", setup: Setup{Prefer: inOrder}, first: [][]event{says(50*ms, goodReply)},
			come: []time.Duration{20 * ms}, others: [][]event{says(10*ms, nxdomain)},
			leg: 0, verdict: Good, after: 50 * ms, conclusive: true},
		{what: "nor with DO", setup: signs(Setup{}), first: [][]event{says(50*ms, goodReply)},
			come: []time.Duration{20 * ms}, others: [][]event{nil},
			leg: 0, verdict: Good, after: 50 * ms, conclusive: true},
		{what: "with a preference who comes is heard", setup: Setup{Prefer: private}, first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{says(100*ms, goodReply)},
			leg: 1, verdict: Good, after: 120 * ms, conclusive: true},
		{what: "R14: one denial of such a name is the reply", setup: Setup{Final: true}, first: [][]event{says(50*ms, goodReply)},
			come: []time.Duration{20 * ms}, others: [][]event{says(100*ms, nxdomain)},
			leg: 1, verdict: NXDomainSOA, after: 120 * ms, conclusive: true},
		{what: "R14: at once", setup: Setup{Final: true}, first: [][]event{says(50*ms, nxdomain)},
			come: []time.Duration{20 * ms}, others: [][]event{nil},
			leg: 0, verdict: NXDomainSOA, after: 50 * ms, conclusive: true},
		{what: "R16: who comes is asked at once, beside the one that is asked alone", setup: Setup{Plan: plan},
			first: [][]event{nil, says(10*ms, nxdomain)},
			come:  []time.Duration{20 * ms}, others: [][]event{says(10*ms, goodReply)},
			leg: 2, verdict: Good, after: 30 * ms, conclusive: true},
		{what: "R16: and what is final without it is not so with it", setup: Setup{Plan: final},
			first: [][]event{says(50*ms, nodata), says(10*ms, nxdomain)},
			come:  []time.Duration{20 * ms}, others: [][]event{says(100*ms, goodReply)},
			leg: 2, verdict: Good, after: 120 * ms, conclusive: true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &growing{known: len(tc.first)}
				g.here.Store(int32(len(tc.first)))
				for _, events := range append(tc.first, tc.others...) {
					g.scripts = append(g.scripts, &script{events: events})
				}
				var r Race
				for _, after := range tc.come {
					come := func() {
						g.here.Add(1)
						if !tc.untold {
							r.Changed()
						}
					}
					if after == 0 {
						come()
					} else {
						time.AfterFunc(after, come)
					}
				}
				start := time.Now()
				setup := tc.setup
				setup.Timeout, setup.Watched = timeout, true
				*r.Setup() = setup
				r.Begin(nil, len(tc.first), g)
				res := r.Wait(t.Context())
				if took := time.Since(start); res.Leg != tc.leg || res.Verdict != tc.verdict || took != tc.after || res.Conclusive() != tc.conclusive {
					t.Errorf("leg %d, %v, after %v, conclusive %v (%v); want leg %d, %v, after %v, conclusive %v",
						res.Leg, res.Verdict, took, res.Conclusive(), res.Errs, tc.leg, tc.verdict, tc.after, tc.conclusive)
				}
				if tc.what == "too late to be asked" && !errors.Is(res.Errs[2], ErrUnasked) {
					t.Errorf("who came is said to have given no opinion because of %v", res.Errs[2])
				}
				if n := len(r.Legs()); n != g.known {
					t.Errorf("%d legs are reported, want %d", n, g.known)
				}
				r.End()
				r.Changed() // is of no use, and no harm
				time.Sleep(2 * timeout)
			})
		})
	}
}

// A reply that cannot be unpacked is discarded, and then those are asked that came.
func TestMoreAfterDiscard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unreadable := reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 192.0.2.9"))
		g := &growing{known: 1, scripts: []*script{{events: says(10*ms, unreadable)}, {events: says(10*ms, goodReply)}}}
		g.here.Store(1)
		var r Race
		*r.Setup() = Setup{Rules: Rules{Timeout: timeout}, Watched: true}
		r.Begin(nil, 1, g)
		defer r.End()
		time.AfterFunc(5*ms, func() { g.here.Add(1) })
		res := r.Wait(t.Context())
		if res.Leg != 0 || res.Verdict != Good {
			t.Fatalf("leg %d, %v", res.Leg, res.Verdict)
		}
		r.Discard(0)
		if res = r.Wait(t.Context()); res.Leg != 1 || res.Verdict != Good {
			t.Errorf("leg %d, %v", res.Leg, res.Verdict)
		}
	})
}
