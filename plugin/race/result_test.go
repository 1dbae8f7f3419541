package race

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Who lets a race linger learns what all upstreams say, when, and of whom the race
// took no notice; its result stays.
func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := []*script{
			{events: says(10*ms, goodReply)},
			{events: says(5*ms, nxdomain)},
			{events: says(time.Second, otherGood), retries: []time.Duration{500 * ms}},
			{events: []event{{2 * time.Second, errBroken}}},
			{events: []event{{0, nil}}},
		}
		r := begin(Setup{}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		defer r.End()
		if res := r.Wait(t.Context()); res.Leg != 0 || time.Since(r.Begun()) != 10*ms {
			t.Fatalf("leg %d after %v", res.Leg, time.Since(r.Begun()))
		}
		for i, open := range []bool{false, false, true, true, true} {
			if got := r.Legs()[i].Open(); got != open {
				t.Errorf("when the race is over, leg %d is open: %v", i, got)
			}
		}
		r.Linger(t.Context())
		if took := time.Since(r.Begun()); took != timeout {
			t.Errorf("listened for %v", took)
		}
		legs := r.Legs()
		for i, want := range []LegReport{
			{Verdict: Good, Msg: goodReply, After: 10 * ms},
			{Verdict: NXDomainSOA, Msg: nxdomain, After: 5 * ms},
			{Verdict: Good, Msg: otherGood, After: time.Second, Late: true},
			{Err: errBroken, After: 2 * time.Second, Late: true},
			{Down: true},
		} {
			got := legs[i]
			if got.Verdict != want.Verdict || string(got.Msg) != string(want.Msg) || got.Err != want.Err ||
				got.After != want.After || got.Late != want.Late || got.Down != want.Down {
				t.Errorf("leg %d: %+v, want %+v", i, got, want)
			}
		}
		if len(scripts[2].called) != 1 {
			t.Errorf("the late one was driven %d times, want once", len(scripts[2].called))
		}
	})
}

// Nobody listens longer than there is something to hear.
func TestLingerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := []*script{{events: says(0, goodReply)}, {events: says(time.Second, nxdomain)}}
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		defer r.End()
		r.Wait(t.Context())
		r.Linger(t.Context())
		if took := time.Since(r.Begun()); took != time.Second {
			t.Errorf("listened for %v", took)
		}
	})
}

// What was told before of an upstream does not undo what was told after.
func TestHealthIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) {
			if i == 0 {
				leg.Reply(nxdomain, instant.Now(), false)
			} else {
				leg.Health(true, 3)
				leg.Health(false, 2) // its goroutine was held up
			}
			return silent{}, instant.Never
		})
		defer r.End()
		r.Wait(t.Context())
		if took := time.Since(r.Begun()); took != 0 {
			t.Errorf("a down upstream was waited for, %v long", took)
		}
	})
}

// Who replies between a decision and its being taken back is not late.
func TestDiscardAndLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var second *Leg
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) {
			if i == 0 {
				leg.Reply(goodReply, instant.Now(), false)
			} else {
				second = leg
			}
			return silent{}, instant.Never
		})
		defer r.End()
		res := r.Wait(t.Context())
		second.Reply(nxdomain, instant.Now(), false)
		r.Discard(res.Leg)
		if res = r.Wait(t.Context()); res.Leg != 1 || r.Legs()[1].Late {
			t.Errorf("leg %d, late %v", res.Leg, r.Legs()[1].Late)
		}
	})
}
