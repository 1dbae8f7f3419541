package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// R5: after a pause a down upstream is waited for as long as it usually takes: it may have
// come back since the last probe. All that ask together then have it wait, not the first
// alone.
func TestR5AfterPause(t *testing.T) {
	for _, transport := range []string{"over UDP", "over TCP"} {
		for _, pause := range []time.Duration{leastPause, 10 * time.Second, time.Hour} {
			t.Run(fmt.Sprint(transport, ", ", pause), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(answerAfter(20*ms, nil))
					u := f.upstream(t, linkTransports[transport])
					for range 20 {
						ask(u, query("host.example."))
					}
					f.script(func(packet) {})
					time.Sleep(ms)
					if o := ask(u, query("host.example.")); !o.isDown() {
						t.Fatal("it is not down")
					}
					time.Sleep(pause)
					f.script(answerAfter(20*ms, func(p packet) bool { return asks(p.msg, "host.example.") })) // but no probe has shown it
					var all []*outcome
					for range 6 {
						all = append(all, pendingAsk(u, query("host.example.")))
						time.Sleep(ms)
					}
					time.Sleep(time.Second)
					synctest.Wait()
					for i, o := range all {
						if !o.good() || o.toldDown {
							t.Errorf("client %d: good %v after %v, told down %v after %v", i, o.good(), o.after, o.toldDown, o.down)
						}
					}
				})
			})
		}
	}
}

// One that stays silent is not waited for longer than that, and not at all by those that
// ask after that or without a pause, or while its link is gone.
func TestR5AfterPauseStillDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(20*ms, nil))
		f.dial = noTCP
		u := f.upstream(t)
		for range 20 {
			ask(u, query("host.example."))
		}
		f.script(func(packet) {})
		time.Sleep(ms)
		ask(u, query("host.example."))
		told := func(what string, after time.Duration) {
			t.Helper()
			o := pendingAsk(u, query("host.example."))
			time.Sleep(after)
			synctest.Wait()
			o.mu.Lock()
			defer o.mu.Unlock()
			if !o.toldDown || o.down > maxWelcome || after == 0 && o.down != 0 {
				t.Errorf("%s: told down %v after %v", what, o.toldDown, o.down)
			}
		}
		time.Sleep(10 * time.Second)
		told("after a pause", maxWelcome)
		told("then", 0)
		for range 5 {
			time.Sleep(time.Second)
			told("without a pause", 0)
		}
	})
}
