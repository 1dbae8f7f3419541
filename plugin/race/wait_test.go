package race

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// holdPlan is hold by a plan. It also returns when each upstream was asked; -1: never.
func holdPlan(t *testing.T, plan Plan, upstreams ...[]event) (Result, time.Duration, []time.Duration) {
	scripts := make([]*script, len(upstreams))
	for i := range upstreams {
		scripts[i] = &script{events: upstreams[i]}
	}
	start := time.Now()
	r := begin(Setup{Plan: plan}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
	defer r.End()
	res := r.Wait(t.Context())
	took := time.Since(start)
	asked := make([]time.Duration, len(scripts))
	for i, s := range scripts {
		asked[i] = s.asked.Sub(instant.Of(start))
		if s.asked.IsZero() {
			asked[i] = -1
		}
		if unasked := r.Legs()[i].Unasked; unasked != (asked[i] < 0) {
			t.Errorf("leg %d is reported as unasked: %v", i, unasked)
		}
	}
	if saved := r.Unasked(); saved != len(slices.DeleteFunc(slices.Clone(asked), func(d time.Duration) bool { return d >= 0 })) {
		t.Errorf("%d are saved, of %v", saved, asked)
	}
	return res, took, asked
}

func TestR16Later(t *testing.T) {
	const hedge = 100 * ms
	never := time.Duration(-1)
	for _, tc := range []struct {
		what       string
		final      bool
		upstreams  [][]event // the second is asked first
		leg        int
		verdict    Verdict
		after      time.Duration
		others     time.Duration // when they were asked
		conclusive bool
	}{
		{"a good reply within the hedge", false,
			[][]event{says(0, otherGood), says(50*ms, goodReply), nil}, 1, Good, 50 * ms, never, true},
		{"the others after the hedge", false,
			[][]event{says(20*ms, otherGood), says(150*ms, goodReply), nil}, 0, Good, 120 * ms, hedge, true},
		{"who was first is still welcome then", false,
			[][]event{says(70*ms, otherGood), says(150*ms, goodReply), nil}, 1, Good, 150 * ms, hedge, true},
		{"at once if it denies the name", false,
			[][]event{says(20*ms, otherGood), says(10*ms, nxdomain), nil}, 0, Good, 30 * ms, 10 * ms, true},
		{"at once if it has no such record", false,
			[][]event{says(20*ms, otherGood), says(10*ms, nodata), nil}, 0, Good, 30 * ms, 10 * ms, true},
		{"at once if it fails on the name", false,
			[][]event{says(20*ms, otherGood), says(10*ms, servfail), nil}, 0, Good, 30 * ms, 10 * ms, true},
		{"at once if it fails", false,
			[][]event{says(20*ms, otherGood), {{10 * ms, errBroken}}, nil}, 0, Good, 30 * ms, 10 * ms, true},
		{"at once if it is down", false,
			[][]event{says(20*ms, otherGood), {{0, nil}}, nil}, 0, Good, 20 * ms, 0, true},
		{"at once if it goes down", false,
			[][]event{says(20*ms, otherGood), {{30 * ms, nil}}, nil}, 0, Good, 50 * ms, 30 * ms, true},
		{"R15: a denial needs everybody", false,
			[][]event{says(20*ms, nxdomain), says(10*ms, nxdomain), says(300*ms, otherGood)}, 2, Good, 310 * ms, 10 * ms, true},
		{"R15: a denial by all", false,
			[][]event{says(20*ms, nxdomain), says(10*ms, nxdomain), says(300*ms, nxdomain)}, 0, NXDomainSOA, 310 * ms, 10 * ms, true},
		{"R15: others have the whole timeout", false,
			[][]event{says(timeout-ms, otherGood), nil, nil}, 0, Good, hedge + timeout - ms, hedge, true},
		{"R4: until then they are waited for", false,
			[][]event{nil, says(10*ms, nxdomain), nil}, 1, NXDomainSOA, 10*ms + timeout, 10 * ms, false},
		{"NODATA is final if the others have denied the name", true,
			[][]event{says(0, otherGood), says(10*ms, nodata), nil}, 1, NoDataSOA, 10 * ms, never, true},
		{"but not without SOA", true,
			[][]event{says(0, otherGood), says(10*ms, bareNodata), nil}, 0, Good, 10 * ms, 10 * ms, true},
		{"nor is any denial", true,
			[][]event{says(5*ms, otherGood), says(10*ms, nxdomain), nil}, 0, Good, 15 * ms, 10 * ms, true},
		{"nor NODATA that comes after others were asked", true,
			[][]event{says(100*ms, otherGood), says(150*ms, nodata), nil}, 0, Good, 200 * ms, hedge, true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res, after, asked := holdPlan(t, Plan{Alone: true, First: 1, Hedge: hedge, Final: tc.final}, tc.upstreams...)
				if res.Leg != tc.leg || res.Verdict != tc.verdict || after != tc.after || res.Conclusive() != tc.conclusive {
					t.Errorf("leg %d, %v, after %v, conclusive %v", res.Leg, res.Verdict, after, res.Conclusive())
				}
				if want := []time.Duration{tc.others, 0, tc.others}; !slices.Equal(asked, want) {
					t.Errorf("asked at %v, want %v", asked, want)
				}
				time.Sleep(2 * timeout)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // there is nobody else
		if res, after, _ := holdPlan(t, Plan{Alone: true, Hedge: hedge}, says(300*ms, nxdomain)); res.Verdict != NXDomainSOA || after != 300*ms {
			t.Errorf("%v after %v", res, after)
		}
	})
	synctest.Test(t, func(t *testing.T) { // a hedge longer than the race
		res, after, _ := holdPlan(t, Plan{Alone: true, Hedge: time.Hour}, nil, says(ms, goodReply))
		if res.Verdict != Good || after != timeout/4+ms {
			t.Errorf("%v after %v", res, after)
		}
	})
}

// replySink notes the replies that it takes.
type replySink struct {
	mu   sync.Mutex
	list []string
}

func (s *replySink) TakeReply(i int, v Verdict, _ []byte, took time.Duration, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, fmt.Sprint(i, " ", v, " ", took, " ", late))
}

// R15: every reply is reported once, whenever it comes, and timed from when its upstream
// was asked.
func TestR15ReportTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := []*script{{events: says(20*ms, nodata)}, {events: says(150*ms, goodReply)}, {events: says(5*ms, nxdomain)}, {events: says(time.Second, otherGood)}, {}}
		r := begin(Setup{Plan: Plan{Alone: true, First: 1, Hedge: 100 * ms}}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		r.Wait(t.Context())
		if scripts[0].leg.TakesLate(false) {
			t.Error("it takes late replies before ReportTo")
		}
		sink := new(replySink)
		r.ReportTo(sink, false)
		r.End()
		if leg := scripts[3].leg; !leg.TakesLate(false) || leg.TakesLate(true) || leg.Waiting() {
			t.Error("it takes no late replies, or old ones, or waits")
		}
		time.Sleep(timeout)
		synctest.Wait()
		want := []string{"0 nodata 20ms false", "1 good 150ms false", "2 nxdomain 5ms false", "3 good 1s true"}
		if !slices.Equal(sink.list, want) {
			t.Errorf("reported %q, want %q", sink.list, want)
		}
	})
}

// A leg wakes the race only if it makes a difference: the race is over, has to ask others, or
// to decide again earlier than planned.
func TestWakes(t *testing.T) {
	says := func(leg int, msg []byte) func(*Race) {
		return func(r *Race) { r.legs[leg].Reply(msg, instant.Now(), false) }
	}
	signs := func(leg int) func(*Race) { return func(r *Race) { r.legs[leg].Signs(true, 60*ms) } }
	fails := func(leg int) func(*Race) { return func(r *Race) { r.legs[leg].Fail(errBroken) } }
	for _, tc := range []struct {
		what   string
		setup  Setup
		before []func(*Race)
		last   func(*Race)
		want   bool
	}{
		{"R4: a denial while others are waited for", Setup{}, nil, says(0, nxdomain), false},
		{"R4: a failure", Setup{}, nil, fails(0), false},
		{"R4: the last failure", Setup{}, []func(*Race){fails(0), says(1, nxdomain)}, fails(2), true},
		{"R5: one goes down", Setup{}, nil, func(r *Race) { r.legs[0].Health(true, 1) }, false},
		{"R2: a good answer", Setup{}, []func(*Race){says(0, nxdomain)}, says(1, goodReply), true},
		{"R2: another one", Setup{}, []func(*Race){says(0, goodReply)}, says(1, goodReply), false},
		{"R16: the first has no answer", Setup{Plan: Plan{Alone: true, Hedge: 100 * ms}}, nil, says(0, nxdomain), true},
		{"R19: an answer is held", Setup{DNSSEC: true}, []func(*Race){signs(1)}, says(0, goodReply), true},
		{"R19: an answer to one that is held", Setup{DNSSEC: true}, []func(*Race){signs(1), says(0, goodReply)}, says(2, otherGood), false},
		{"R19: the signed one", Setup{DNSSEC: true}, []func(*Race){signs(1), says(0, goodReply)}, says(1, goodSigned), true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := begin(tc.setup, 3, func(int, *Leg) (Exchange, instant.Time) { return silent{}, instant.Never })
				defer r.End()
				for _, f := range tc.before {
					f(r)
				}
				r.look(r.wake(), new(Result))
				select { // what woke it before
				case <-r.sleeper.woken:
				default:
				}
				tc.last(r)
				if woken := len(r.sleeper.woken) > 0; woken != tc.want {
					t.Errorf("woken: %v", woken)
				}
			})
		})
	}
}
