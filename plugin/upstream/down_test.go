package upstream

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestR5Down(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)

		first := ask(u, query("host.example."))
		equal(t, "down after", first.down, testPatience)
		sent, probes := f.sent()
		equal(t, "packets over UDP and then TCP", sent, maxPackets+1)
		if probes == 0 {
			t.Error("it is not probed")
		}
		equal(t, "calls of Reply and Fail", first.calls, 0)

		f.script(func(packet) {})
		if second := ask(u, query("host.example.")); !second.toldDown || !second.doubtful || second.down > maxWelcome {
			t.Errorf("a down upstream said so: %v, after %v, doubtful %v", second.toldDown, second.down, second.doubtful)
		}
		sent, _ = f.sent()
		equal(t, "packets to a down upstream", sent, 1)

		f.script(answerAfter(10*ms, nil))
		back := ask(u, query("host.example."))
		if !back.good() || back.after != 10*ms {
			t.Errorf("good %v after %v", back.good(), back.after)
		}
		if back = ask(u, query("host.example.")); back.toldDown {
			t.Error("is still down after a reply")
		}
	})
}

// R5: a down upstream is found to be up again without a client's query.
func TestR5Probe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		ask(u, query("host.example."))
		time.Sleep(time.Hour)
		f.script(answerAfter(ms, nil))
		time.Sleep(tidyEvery + 10*ms)
		if o := ask(u, query("host.example.")); o.toldDown || !o.good() {
			t.Errorf("down %v, good %v a second after its return", o.toldDown, o.good())
		}
		f.script(func(packet) {})
		time.Sleep(time.Minute)
		if n := len(f.log()); n > 1 { // one may ask whether it is unresponsive for the type of the probes, which were in vain for long
			t.Errorf("%d packets to an idle upstream", n)
		}
	})
}

// R5: all that wait for an upstream learn at the same time that it is down, also
// those who came later.
func TestR5DownIsToldToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		go ask(u, query("one.example."))
		time.Sleep(1500 * ms)
		two := ask(u, query("two.example."))
		equal(t, "down after", two.down, testPatience-1500*ms)
	})
}

// R5: what replies to others is up, and only slow on this name.
func TestR5SlowIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			if wire.SameQuestion(wire.Question(p.msg), wire.Question(query("slow.example.").Msg)) {
				answerAfter(3900*ms, nil)(p)
			} else {
				answerAfter(ms, nil)(p)
			}
		})
		u := f.upstream(t)
		go func() {
			for range 3 {
				time.Sleep(500 * ms)
				ask(u, query("other.example."))
			}
		}()
		o := ask(u, query("slow.example."))
		equal(t, "told down", o.toldDown, false)
		if !o.good() || o.after != 3900*ms {
			t.Errorf("good %v after %v", o.good(), o.after)
		}
	})
}

// A packet lost before a quiet hour is no hour of silence.
func TestR5QuietIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		won := newOutcome()
		won.over = true // another upstream won at once
		u.Ask(query("host.example."), won)
		time.Sleep(time.Hour)
		f.script(answerAfter(1900*ms, nil))
		o := ask(u, query("host.example."))
		equal(t, "told down", o.toldDown, false)
		if !o.good() {
			t.Error(o.err)
		}
	})
}

// A silence in which this process was stopped is not the upstream's.
func TestR5StoppedIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		o := newOutcome()
		defer o.waitNoMore()
		x, _ := u.Ask(query("host.example."), o)
		time.Sleep(time.Second) // retries were due
		x.Retry(instant.Now())
		time.Sleep(30 * time.Second)
		next := x.Retry(instant.Now())
		if o.toldDown {
			t.Error("is down after the pause")
		}
		for range 20 {
			if o.toldDown {
				break
			}
			time.Sleep(instant.Until(next))
			next = x.Retry(instant.Now())
		}
		equal(t, "down after the pause and", instant.Since(x.begun)-31*time.Second, testPatience)
	})
}

// Whoever still waits for an upstream when it comes back asks once more.
func TestR5Back(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		ask(u, query("host.example.")) // it goes down
		f.script(func(packet) {})
		time.AfterFunc(1500*ms, func() { f.script(answerAfter(10*ms, nil)) })
		o := ask(u, query("host.example."))
		equal(t, "told down", o.toldDown, true)
		if !o.good() || o.after > 1500*ms+tidyEvery+20*ms {
			t.Errorf("good %v after %v", o.good(), o.after)
		}
		equal(t, "Up without need", len(o.back), 0)
	})
}

// Who asks in the moment in which the upstream comes back must be told last that
// it is up.
func TestDownAfterUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs := &upObserver{}
		f := newFake(func(packet) {})
		var replies atomic.Pointer[func()]
		f.write = func(string, int) error {
			if reply := replies.Swap(nil); reply != nil {
				(*reply)()
			}
			return nil
		}
		u := f.upstream(t, func(c *Config) { c.Observer = obs })
		ask(u, query("host.example.")) // it goes down
		old := newOutcome()
		u.Ask(query("other.example."), old)
		var last packet
		for _, p := range f.log() {
			if asks(p.msg, "other.example.") {
				last = p
			}
		}
		told := make(chan struct{})
		obs.up = func() { close(told) }
		reply := func() {
			last.send(replyTo(last.msg, good))
			<-told
			time.Sleep(ms) // and all are told
		}
		replies.Store(&reply) // while the next query is on its way out
		o := newOutcome()
		u.Ask(query("host.example."), o)
		synctest.Wait() // it may have been a probe's packet that was held up
		if o.isDown() {
			t.Error("the upstream is up, but its last word to the race was that it is down")
		}
		o.waitNoMore()
		old.waitNoMore()
	})
}

// upObserver runs a function when the upstream comes up.
type upObserver struct {
	unobserved
	up   func()
	near atomic.Int64
}

func (o *upObserver) NearMiss() { o.near.Add(1) }

func (o *upObserver) Up(uint64, time.Duration) {
	if o.up != nil {
		o.up()
	}
}

// An upstream far away, that was down, is found to be back by the probes.
func TestProbeFarAway(t *testing.T) {
	t.Parallel()
	for _, rtt := range []time.Duration{500 * ms, 1900 * ms} {
		t.Run(rtt.String(), func(t *testing.T) {
			t.Parallel()
			// Real time: in virtual time no timer is late.
			f := newFake(func(packet) {})
			obs := &upObserver{}
			cfg := Config{Addr: netip.MustParseAddrPort("192.0.2.53:53"), Timeout: testTimeout, Patience: testPatience, Observer: obs, Ports: ports.Over(f.Listen)}
			cfg.Dial = func(context.Context, udp.Peer) (net.Conn, error) { return nil, context.DeadlineExceeded }
			u := New(cfg)
			defer u.Close()
			ask(u, query("host.example."))
			f.script(answerAfter(rtt, nil))
			testkit.Eventually(t, func() error {
				u.mu.Lock()
				defer u.mu.Unlock()
				if !u.known.Down {
					return nil
				}
				_, probes := f.sent()
				err := fmt.Errorf("it is down after %d probes that were answered, near misses %d", probes, obs.near.Load())
				if probes > 10 {
					t.Fatal(err)
				}
				return err
			})
		})
	}
}

// README: a name does not come back as denied because a VPN was slow.
func TestSlowNameOfQuietUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := wire.Question(query("slow.example.").Msg)
		f := newFake(func(p packet) {
			if wire.SameQuestion(wire.Question(p.msg), slow) {
				answerAfter(2500*ms, nil)(p)
			} else {
				answerAfter(ms, nil)(p)
			}
		})
		u := f.upstream(t)
		ask(u, query("other.example."))
		time.Sleep(time.Minute)
		o := ask(u, query("slow.example."))
		if o.toldDown {
			t.Errorf("a resolver that is alive was called down after %v, because nothing else was asked of it", o.down)
		}
	})
}
