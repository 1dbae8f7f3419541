package upstream

import (
	"testing"
	"testing/synctest"
	"time"
)

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
