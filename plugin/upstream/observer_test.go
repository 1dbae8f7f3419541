package upstream

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// notes is an Observer that writes down what it is told, and when.
type notes struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf("%v: ", time.Since(n.start))+fmt.Sprintf(format, args...))
}

func (n *notes) Replied(rcode int, took time.Duration) { n.add("replied %d after %v", rcode, took) }
func (n *notes) Failed(err error)                      { n.add("failed: %v", err) }
func (n *notes) Retransmitted()                        { n.add("retransmitted") }
func (n *notes) NearMiss()                             { n.add("near miss") }
func (n *notes) Down(_ uint64, silence time.Duration, waiting int) {
	n.add("down after %v, %d wait", silence, waiting)
}
func (n *notes) Up(_ uint64, after time.Duration)   { n.add("up after %v", after) }
func (n *notes) Link(state link.State, turn uint64) { n.add("link %v, turn %d", state, turn) }
func (n *notes) Unresponsive(qtype uint16, unresponsive bool) {
	n.add("unresponsive for %d: %v", qtype, unresponsive)
}
func (n *notes) UnresponsiveIn(zone string, unresponsive bool) {
	n.add("unresponsive in %s: %v", zone, unresponsive)
}

// An exchange that is released tells its receiver nothing more; that the reply came is
// still counted, and shows that the upstream replies.
func TestReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notes{start: time.Now()}
		f := newFake(answerAfter(10*ms, nil))
		u := f.upstream(t, func(c *Config) { c.Observer = n })
		o := newOutcome()
		x, _ := u.Ask(query("host.example."), o)
		x.Release()
		time.Sleep(20 * ms)
		synctest.Wait()
		if o.calls != 0 || !slices.Equal(n.lines, []string{"10ms: replied 0 after 10ms"}) {
			t.Errorf("told %d times; the observer %q", o.calls, n.lines)
		}
	})
}

func TestObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notes{start: time.Now()}
		f := newFake(answerAfter(10*ms, nil))
		u := f.upstream(t, func(c *Config) { c.Observer = n })
		ask(u, query("host.example.")) // a reply

		f.script(func(p packet) {
			if p.n > 0 {
				answerAfter(10*ms, nil)(p)
			}
		})
		ask(u, query("host.example.")) // one lost packet

		time.Sleep(880 * ms)
		f.script(func(packet) {})
		go ask(u, query("one.example."))
		time.AfterFunc(4500*ms, func() { f.script(answerAfter(0, nil)) })
		ask(u, query("two.example.")) // silence
		time.Sleep(5 * time.Second)

		f.script(func(p packet) {
			b := replyTo(p.msg, good)
			if p.network == "udp" {
				wire.Header(b).SetID(wire.Header(b).ID() + 1)
			}
			p.send(b)
		})
		ask(u, query("host.example.")) // a forgery
		synctest.Wait()                // the last word may come after the reply

		n.mu.Lock()
		defer n.mu.Unlock()
		slices.Sort(n.lines) // each with its time; what is of one moment comes in any order
		got := strings.Join(n.lines, "\n")
		want := `1.1s: retransmitted
1.1s: retransmitted
1.3s: retransmitted
1.3s: retransmitted
10ms: replied 0 after 10ms
10s: near miss
10s: replied 0 after 0s
110ms: retransmitted
120ms: replied 0 after 110ms
3s: down after 2s, 2 wait
6s: up after 3s`
		if got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
	})
}
