package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// R5: a resolver whose own way to the Internet is cut is silent to all names but its own, also to
// probes. As it takes connections, who asks for its own names waits for it, also who asks just before
// it is found to be down.
func TestR5Lives(t *testing.T) {
	for _, early := range []time.Duration{-50 * ms, 5 * ms} { // before and after it is found to be down
		t.Run(fmt.Sprint(early), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(60*ms, func(p packet) bool { return asks(p.msg, "host.example.") }))
				u := f.upstream(t)
				other := pendingAsk(u, query("other.example."))
				time.Sleep(testPatience + early)
				host := ask(u, query("host.example."))
				if !host.good() || host.toldDown || host.after != 60*ms {
					t.Errorf("good %v after %v, told down %v after %v", host.good(), host.after, host.toldDown, host.down)
				}
				other.mu.Lock()
				defer other.mu.Unlock()
				if early > 0 && other.down != testPatience {
					t.Errorf("it was found to be down after %v", other.down)
				}
			})
		})
	}
}

// What is silent to all is waited for no longer than that, and not at all if it takes no
// connections.
func TestR5LivesInVain(t *testing.T) {
	for _, takes := range []bool{true, false} {
		t.Run(fmt.Sprint("takes connections ", takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {})
				if !takes {
					f.dial = noTCP
				}
				u := f.upstream(t)
				pendingAsk(u, query("host.example."))
				time.Sleep(testPatience)
				for range 5 {
					o := pendingAsk(u, query("host.example."))
					time.Sleep(time.Second)
					synctest.Wait()
					o.mu.Lock()
					if !o.toldDown || o.down > maxGrace || (o.down > 0) != takes {
						t.Errorf("told down %v after %v", o.toldDown, o.down)
					}
					o.mu.Unlock()
				}
			})
		})
	}
}

// R5: that an upstream was down says nothing of the names and types that were asked for meanwhile,
// and by clients that have gone since.
func TestR5DownIsNoName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := &notes{start: time.Now()}
		f := newFake(func(packet) {})
		u := f.upstream(t, func(c *Config) { c.Observer = notes })
		ask(u, query("other.example."))
		for range 4 {
			x, _ := u.Ask(query("host.example."), newOutcome())
			x.Release()
			time.Sleep(testPatience/2 + ms)
		}
		f.script(answerAfter(10*ms, nil))
		ask(u, query("other.example."))
		time.Sleep(2 * u.cfg.Timeout)
		if o := ask(u, query("host.example.")); !o.good() || o.toldUnresponsive || len(notes.zones()) > 0 {
			t.Errorf("good %v, told unresponsive %v, noted %q", o.good(), o.toldUnresponsive, notes.zones())
		}
	})
}
