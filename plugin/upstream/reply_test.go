package upstream

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// A useless reply on one of two connections leaves the other its chance.
func TestStreamUselessWhileAnotherOwes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			switch {
			case asks(p.msg, "warm.example."):
				answerAfter(ms, nil)(p)
			case p.conn == 0: // it takes long, and then says nothing usable
				time.AfterFunc(1200*ms, func() { b := replyTo(p.msg, good); p.send(b[:len(b)-3]) })
			default:
				answerAfter(1000*ms, nil)(p)
			}
		})
		u := f.upstream(t, forceTCP)
		ask(u, query("warm.example."))
		if o := ask(u, query("host.example.")); !o.good() {
			t.Errorf("%v after %v, %d connections", o.err, o.after, f.opened("tcp"))
		}
	})
}

// An exchange whose connection is closed after a return still counts its connections.
func TestClosedEarlyAfterReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t, forceTCP)
		o := newOutcome()
		defer o.waitNoMore()
		x, _ := u.Ask(query("host.example."), o)
		time.Sleep(ms)
		var out outbox
		u.mu.Lock()
		s := x.conn.stream
		s.used, x.conn.dials = true, 0
		x.conn.owed = 2 // so that this one alone ends nothing
		x.step(x.streamEnded(s, errClosed, false, instant.Now()), errClosed, instant.Now(), &out)
		dials := x.conn.dials
		u.mu.Unlock()
		u.do(&out)
		equal(t, "dials", dials, 0)
	})
}

// counts is an Observer that counts replies.
type counts struct {
	unobserved
	mu      sync.Mutex
	replies int
}

func (c *counts) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.replies
}

func (c *counts) Replied(int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replies++
}

// An exchange that is answered over both paths counts as one request, and a probe as
// none.
func TestRepliesAreCountedOnce(t *testing.T) {
	t.Run("both paths", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := new(counts)
			f := newFake(func(p packet) {
				if p.network == "tcp" {
					answerAfter(ms, nil)(p)
				} else if p.n == 0 {
					answerAfter(1900*ms, nil)(p)
				}
			})
			u := f.upstream(t, func(cfg *Config) { cfg.Observer = c })
			if o := ask(u, query("host.example.")); !o.good() || o.after >= 1900*ms {
				t.Fatalf("good %v after %v", o.good(), o.after)
			}
			time.Sleep(time.Second)
			equal(t, "replies", c.total(), 1)
		})
	})
	t.Run("probes", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			c := new(counts)
			f := newFake(func(p packet) {
				if wire.QuestionType(wire.Question(p.msg)) == dns.TypeNS {
					answerAfter(ms, nil)(p)
				}
			})
			u := f.upstream(t, func(cfg *Config) { cfg.Observer = c })
			ask(u, query("host.example."))
			if _, probes := f.sent(); probes == 0 {
				t.Fatal("no probe was sent")
			}
			equal(t, "replies", c.total(), 0)
		})
	})
}

// What is told late of a change that is over changes nothing.
func TestPresenceIsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		o := newOutcome()
		defer o.waitNoMore()
		u.Ask(query("host.example."), o)
		turn := func(change func(out *outbox)) *outbox {
			u.mu.Lock()
			defer u.mu.Unlock()
			out := new(outbox)
			change(out)
			return out
		}
		var x *Exchange
		u.mu.Lock()
		for x = range u.waitingLocked() {
		}
		u.mu.Unlock()
		silence := func(out *outbox) { u.silentLocked(x, instant.Now(), out) }
		time.Sleep(testPatience)
		down := turn(silence)
		up := turn(func(out *outbox) { u.heardLocked(true, instant.Now(), out) })
		u.mu.Lock()
		x.wait.silenceFrom = instant.Now().Add(ms)
		u.mu.Unlock()
		time.Sleep(testPatience + ms)
		again := turn(silence)
		u.do(down)
		u.do(again)
		u.do(up) // its goroutine was held up
		if !o.isDown() {
			t.Error("the upstream is down, but its last word is that it is up")
		}
	})
}

// Packets that answer nothing cost no look at all exchanges under way.
func TestStrayPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		for range 50 {
			o := newOutcome()
			defer o.waitNoMore()
			u.Ask(query("host.example."), o)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, s := range u.sockets {
			if s == nil {
				continue
			}
			stray := wire.Question(query("other.example.").Msg)
			if s.hasQuestionLocked(stray) {
				t.Error("a question that is not asked is looked for")
			}
			asked := wire.Question(query("HOST.example.").Msg)
			if !s.hasQuestionLocked(asked) {
				t.Error("a question that is asked is not found")
			}
			for id := range s.pending.All() {
				s.removeLocked(id)
			}
			if s.hasQuestionLocked(asked) || len(s.questions) > 0 {
				t.Errorf("when nothing is pending, %d questions are", len(s.questions))
			}
		}
	})
}
