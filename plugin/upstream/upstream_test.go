package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const ms = time.Millisecond

// times returns when the packets over a network were sent.

func times(log []packet, network string) []time.Duration {
	var at []time.Duration
	for _, p := range log {
		if p.network == network {
			at = append(at, p.at)
		}
	}
	return at
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(20*ms, nil))
		u := f.upstream(t)
		q := query("Host.Example.")
		o := ask(u, q)
		if !o.good() || o.after != 20*ms || o.calls != 1 {
			t.Fatalf("got %v after %v, %d calls", o.err, o.after, o.calls)
		}
		p := f.log()[0]
		if !wire.SameQuestion(wire.Question(p.msg), wire.Question(q.Msg)) || len(p.msg) != len(q.Msg) {
			t.Errorf("sent % x for % x", p.msg, q.Msg)
		}
	})
}

// Ids and ports are what a forger has to guess.

func TestIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		u := f.upstream(t)
		q := query("host.example.")
		ids, conns := map[uint16]int{}, map[int]int{}
		const n = 400
		for range n {
			ask(u, q)
		}
		same, last := 0, uint16(0)
		for _, p := range f.log() {
			id := wire.Header(p.msg).ID()
			ids[id]++
			conns[p.conn]++
			if id == last+1 {
				same++
			}
			last = id
		}
		if len(ids) < n*9/10 || same > n/10 {
			t.Errorf("%d different ids in %d packets, %d in sequence", len(ids), n, same)
		}
		if len(conns) != ports.InUse {
			t.Errorf("packets came from %d sockets, want %d", len(conns), ports.InUse)
		}
	})
}

func TestSocketsAreReplacedByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		u := f.upstream(t)
		for range 600 { // one minute
			if o := ask(u, query("host.example.")); !o.good() {
				t.Fatal(o.err)
			}
			time.Sleep(100 * ms)
			if n := f.stillOpen(); n > 2*ports.InUse {
				t.Fatalf("%d sockets are open", n)
			}
		}
		if n := f.opened("udp"); n < 4*ports.InUse || n > 8*ports.InUse {
			t.Errorf("%d sockets were opened in a minute", n)
		}
		time.Sleep(ports.MaxAge + testTimeout)
		equal(t, "sockets open when idle", f.stillOpen(), 0)
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(500*ms, nil))
		u := f.upstream(t)
		pending := newOutcome()
		x, next := u.Ask(query("host.example."), pending)
		u.Close()
		u.Close()
		drive(x, next, pending)
		if !pending.good() {
			t.Errorf("a query under way was lost: %v", pending.err)
		}
		if o := ask(u, query("after.example.")); !o.good() {
			t.Errorf("a query after Close was lost: %v", o.err)
		}
	})
}

// Unanswered exchanges are forgotten, so that ids and memory do not run out.

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		const perSecond = 5000
		for range 20 {
			for i := range perSecond {
				o := newOutcome()
				o.over = true
				u.Ask(query(fmt.Sprintf("host%d.example.", i)), o)
			}
			time.Sleep(time.Second)
			u.mu.Lock()
			n := 0
			for p := range u.tablesLocked() {
				n += p.Len()
			}
			u.mu.Unlock()
			if n > (int(testPatience/time.Second)+2)*perSecond || f.stillOpen() > 2*ports.InUse {
				t.Fatalf("%d exchanges pending on %d sockets", n, f.stillOpen())
			}
			f.script(func(packet) {})
		}
		f.script(answerAfter(ms, nil))
		if o := ask(u, query("host.example.")); !o.good() || o.after != ms {
			t.Errorf("good %v after %v", o.good(), o.after)
		}
	})
}
