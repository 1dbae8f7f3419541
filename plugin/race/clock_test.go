package race

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// A clock wakes each at its time, at most a tick later, however many and far they are.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		for round := range 3 {
			start := instant.Now()
			var all []*sleeper
			due := make(map[*sleeper]time.Duration)
			for i := range 500 {
				s := c.sleeper()
				all = append(all, s)
				due[s] = time.Duration(i*i%1000) * ms
				c.set(s, start, start.Add(due[s]))
				if i%3 == 0 { // it changes its mind
					due[s] += 10 * ms
					c.set(s, start, start.Add(due[s]))
				}
			}
			for at := time.Duration(0); at < 2*time.Second; at += ms {
				for _, s := range all {
					select {
					case <-s.woken:
						want := due[s]
						if late := at - want; late < 0 || late > tick+ms {
							t.Fatalf("round %d: woken after %v instead of %v", round, at, want)
						}
						due[s] = -1
					default:
						if due[s] >= 0 && at > due[s]+tick+ms {
							t.Fatalf("round %d: not woken after %v", round, due[s])
						}
					}
				}
				time.Sleep(ms)
			}
			for _, s := range all {
				c.release(s)
			}
			time.Sleep(time.Second)
		}
	})
}

// One far away is woken early, and sets the clock again; one that is released is not
// woken at all, and is as new for the next.
func TestClockFarAndReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		far, gone := c.sleeper(), c.sleeper()
		now := instant.Now()
		c.set(far, now, now.Add(time.Hour))
		c.set(gone, now, now.Add(ms))
		gone.wake()
		c.release(gone)
		time.Sleep(10 * ms)
		if len(gone.woken) > 0 || gone.slot != -1 {
			t.Error("one that was released is woken")
		}
		<-far.woken
		if took := instant.Since(now); took > slots*tick {
			t.Errorf("woken after %v", took)
		}
		c.release(far)
		if c.waiting != 0 {
			t.Errorf("%d are waiting", c.waiting)
		}
	})
}

// R4: a race over a clock ends in time, also when that is less than a tick.
func TestR4Clock(t *testing.T) {
	for _, most := range []time.Duration{ms, 10 * ms, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var c Clock
			start := time.Now()
			var r Race
			*r.Setup() = Setup{Rules: Rules{Timeout: most}}
			r.Begin(&c, 1, askFunc(func(int, *Leg) (Exchange, instant.Time) { return new(script), instant.Never }))
			defer r.End()
			res := r.Wait(context.Background())
			if took := time.Since(start); res.Leg >= 0 || took < most || took > most+tick {
				t.Errorf("leg %d after %v", res.Leg, took)
			}
		})
	}
}

// When a race that nobody watches is surely won, the others are not listened to; where the
// winner's reply may have to be discarded, they are.
func TestLosers(t *testing.T) {
	odd := append([]byte(nil), goodReply...) // of a type that nobody knows
	odd[len(odd)-4-2-4-2-1] = 200
	for _, tc := range []struct {
		what      string
		reply     []byte
		watched   bool
		listening bool
	}{
		{"plain", goodReply, false, false},
		{"watched", goodReply, true, true},
		{"odd", odd, false, true},
		{"no answer", nxdomain, false, true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			var c Clock
			var legs []*Leg
			var r Race
			*r.Setup() = Setup{Rules: Rules{Timeout: timeout}, Watched: tc.watched}
			r.Begin(&c, 2, askFunc(func(_ int, leg *Leg) (Exchange, instant.Time) {
				legs = append(legs, leg)
				return silent{}, instant.Never
			}))
			defer r.End()
			legs[0].Reply(tc.reply, instant.Now(), false)
			if got := legs[1].Waiting(); got != tc.listening {
				t.Errorf("listening %v, want %v", got, tc.listening)
			}
		})
	}
}
