package race

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/poll"
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
		far.wait(context.Background())
		if took := instant.Since(now); took > slots*tick {
			t.Errorf("woken after %v", took)
		}
		c.release(far)
		if c.waiting != 0 {
			t.Errorf("%d are waiting", c.waiting)
		}
	})
}

// counting counts what is done to an alarm.
type counting struct {
	poll.Alarm
	resets, stops int
	rings         atomic.Int64
}

func (c *counting) Set(at instant.Time) { c.resets++; c.Alarm.Set(at) }
func (c *counting) Stop()               { c.stops++; c.Alarm.Stop() }

func counted(c *Clock) *counting {
	n := new(counting)
	n.Alarm = poll.NewAlarm(false, func() { n.rings.Add(1); c.ring() })
	c.alarm = n
	return n
}

// Races that end long before they have to be woken wake nobody, and where many follow each other
// the alarm is hardly touched.
func TestClockQuiet(t *testing.T) {
	for _, tc := range []struct {
		each                 time.Duration // from one race to the next
		resets, stops, rings int           // of 100 races
	}{
		{100 * ms, 100, 100, 0},
		{5 * ms, 26, 25, 1},
		{ms, 6, 5, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var c Clock
			n := counted(&c)
			for range 100 {
				s := c.sleeper()
				now := instant.Now()
				c.set(s, now, now.Add(250*ms))
				time.Sleep(ms)
				c.release(s)
				time.Sleep(tc.each - ms)
			}
			time.Sleep(time.Second)
			if rings := int(n.rings.Load()); n.resets != tc.resets || n.stops != tc.stops || rings != tc.rings {
				t.Errorf("one each %v: set %d times, stopped %d times, rang %d times", tc.each, n.resets, n.stops, rings)
			}
		})
	}
}

// While one waits for long, others do not wake early: the clock goes on without its alarm.
func TestClockBesideLongOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		n := counted(&c)
		long := c.sleeper()
		now := instant.Now()
		c.set(long, now, now.Add(900*ms))
		time.Sleep(800 * ms)
		s := c.sleeper()
		now = instant.Now()
		c.set(s, now, now.Add(600*ms))
		long.wait(context.Background())
		s.wait(context.Background())
		if took := instant.Since(now); took < 600*ms || took > 600*ms+tick {
			t.Errorf("woken after %v", took)
		}
		if rings := n.rings.Load(); rings != 2 {
			t.Errorf("the alarm rang %d times", rings)
		}
	})
}

// The system's alarm wakes as well as a timer, and is closed while one waits.
func TestClockOfSystem(t *testing.T) {
	defer testkit.NoLeaks(t)
	var c Clock
	c.UseSystem()
	s := c.sleeper()
	for i := range 20 {
		now := instant.Now()
		c.set(s, now, now.Add(time.Duration(i)*ms))
		if i == 10 {
			c.Close()
		}
		s.wait(context.Background())
		if took := instant.Since(now); took < time.Duration(i)*ms {
			t.Errorf("%d: woken after %v", i, took)
		}
	}
	c.release(s)
	c.Close()
}

// Of many that set the clock at the same time, and change their minds, none is forgotten or
// woken before its time, also if the clock is closed meanwhile.
func TestClockCrowd(t *testing.T) {
	for _, system := range []bool{false, true} {
		defer testkit.NoLeaks(t)
		var c Clock
		if system {
			c.UseSystem()
		}
		var crowd sync.WaitGroup
		for range 50 {
			crowd.Go(func() {
				for range 40 {
					s := c.sleeper()
					now := instant.Now()
					c.set(s, now, now.Add(rand.N(time.Second))) // to be moved, or released
					if rand.IntN(3) > 0 {
						due := instant.Now().Add(rand.N(10 * ms))
						c.set(s, instant.Now(), due)
						s.wait(context.Background())
						if early := instant.Until(due); early > 0 {
							t.Errorf("woken %v too early", early)
						}
					}
					c.release(s)
				}
			})
		}
		if system {
			c.Close()
		}
		crowd.Wait()
		c.Close()
	}
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
