package upstream

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// pendingAsk asks u, and goes on waiting in the background.
func pendingAsk(u *Upstream, q *Query) *outcome {
	o := newOutcome()
	x, next := u.Ask(q, o)
	go drive(x, next, o)
	return o
}

// transports are the ways to ask a fake upstream.
var linkTransports = map[string]func(*Config){
	"over UDP": func(*Config) {},
	"over TCP": forceTCP,
}

// Who waits is told at once that a link is gone, nothing is sent meanwhile, and when it is
// back all that still wait are asked for over it, at once.
func TestR20GoesAndComes(t *testing.T) {
	for name, change := range linkTransports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {}) // silent at first
				notes := &notes{start: time.Now()}
				u := f.upstream(t, change, func(c *Config) { c.Observer = notes })
				u.Link(3, link.Bound)
				before := pendingAsk(u, query("before.example."))
				time.Sleep(100 * ms)
				u.Link(0, link.Gone)
				synctest.Wait()
				if !before.isDown() {
					t.Error("who waits is not told that the link is gone")
				}
				f.script(answerAfter(10*ms, nil))
				during := pendingAsk(u, query("during.example."))
				synctest.Wait()
				if !during.isDown() {
					t.Error("who asks then is not told that the link is gone")
				}
				time.Sleep(3 * time.Second)
				u.Link(0, link.Gone) // nothing new
				if log := f.log(); len(log) > 0 {
					t.Fatalf("%d packets are sent while the link is gone, the first after %v", len(log), log[0].at)
				}
				if before.good() || during.good() || len(before.done)+len(during.done) > 0 {
					t.Error("they do not wait")
				}
				u.Link(7, link.Bound)
				time.Sleep(11 * ms)
				synctest.Wait()
				for what, o := range map[string]*outcome{"before": before, "during": during} {
					if !o.good() || o.isDown() {
						t.Errorf("who asked %s the link went: good %v, told down %v", what, o.good(), o.isDown())
					}
				}
				for _, p := range f.log() {
					if p.link != 7 {
						t.Errorf("a packet goes over link %d", p.link)
					}
				}
				if o := ask(u, query("after.example.")); !o.good() || o.after > 11*ms {
					t.Errorf("afterwards: good %v after %v", o.good(), o.after)
				}
				notes.mu.Lock()
				defer notes.mu.Unlock()
				var links []string
				for _, line := range notes.lines {
					if _, text, _ := cut(line); text != "" && text[:4] == "link" {
						links = append(links, text)
					}
				}
				if want := []string{"link down, turn 1", "link bound, turn 2"}; !slices.Equal(links, want) {
					t.Errorf("the observer is told %q, want %q", links, want)
				}
			})
		})
	}
}

// cut splits a line of notes.
func cut(line string) (at, text string, found bool) {
	for i := range line {
		if i+1 < len(line) && line[i] == ':' && line[i+1] == ' ' {
			return line[:i], line[i+2:], true
		}
	}
	return line, "", false
}

// A link that is another now, as one that was made anew by the same name, is used at once
// by those who wait, and late replies over the old one are nothing.
func TestR20Another(t *testing.T) {
	for name, change := range linkTransports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					if p.link == 4 {
						answerAfter(10*ms, nil)(p)
					}
				})
				u := f.upstream(t, change)
				u.Link(3, link.Bound)
				o := pendingAsk(u, query("host.example."))
				time.Sleep(50 * ms)
				u.Link(4, link.Bound)
				time.Sleep(11 * ms)
				synctest.Wait()
				if !o.good() || o.toldDown {
					t.Errorf("good %v, told down %v", o.good(), o.toldDown)
				}
			})
		})
	}
}

// Where no route leads over the link, routes decide; and what was silent there counts as
// never heard when one leads over it.
func TestR20Unbound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			if p.link != 0 {
				answerAfter(10*ms, nil)(p)
			}
		})
		u := f.upstream(t)
		u.Link(0, link.Unbound)
		o := pendingAsk(u, query("host.example."))
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if !o.isDown() {
			t.Fatal("it is not down")
		}
		u.Link(3, link.Bound)
		time.Sleep(11 * ms)
		synctest.Wait()
		if !o.good() || o.isDown() {
			t.Errorf("good %v, told down %v", o.good(), o.isDown())
		}
	})
}

// A reply that was on its way when the link went does not bring the upstream up.
func TestR20LateReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(100*ms, nil))
		u := f.upstream(t)
		u.Link(3, link.Bound)
		o := newOutcome()
		u.Ask(query("late.example."), o)
		o.waitNoMore()
		time.Sleep(50 * ms)
		u.Link(0, link.Gone)
		time.Sleep(200 * ms)
		next := pendingAsk(u, query("next.example."))
		synctest.Wait()
		if !next.isDown() {
			t.Error("the upstream is up without its link")
		}
	})
}

// A connection that is being dialled when the link goes is given up, and so is one for
// round trips.
func TestR20RoundTripper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) {
			return slowly(ctx, 100*ms, msg)
		}}
		s.t = t
		var links []uint32
		u := newFake(nil).upstream(t, func(c *Config) {
			c.ForceTCP, c.Warm = true, time.Minute
			c.DialRoundTripper = func(ctx context.Context, to udp.Peer) (RoundTripper, error) {
				links = append(links, to.Link)
				return s.dial(ctx, to)
			}
		})
		u.Link(3, link.Bound)
		o := pendingAsk(u, query("host.example."))
		time.Sleep(50 * ms)
		u.Link(0, link.Gone)
		time.Sleep(time.Second)
		u.Link(4, link.Bound)
		time.Sleep(200 * ms)
		synctest.Wait()
		if want := 1155 * ms; !o.good() || o.after != want || !slices.Equal(links, []uint32{3, 4}) {
			t.Errorf("good %v after %v, %v, dialled over links %v", o.good(), o.after, o.err, links)
		}
	})
}

// R21: a query that is asked over the link alone is sent nothing while routes would decide,
// and waits as if the link were gone; others are asked. It is no silence of the upstream.
func TestR21OverLink(t *testing.T) {
	if !link.CanBind {
		t.Skip("sockets cannot be bound to links here, so routes always decide")
	}
	for name, change := range linkTransports {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(packet) {}) // silent at first
				u := f.upstream(t, change)
				over := func(name string) *Query {
					q := query(name)
					q.OverLink = true
					return q
				}
				u.Link(3, link.Bound)
				before := pendingAsk(u, over("before.example."))
				time.Sleep(10 * ms)
				sent := len(f.log())
				u.Link(0, link.Unbound) // in the middle of the race
				during := pendingAsk(u, over("during.example."))
				synctest.Wait()
				if !before.isDown() || !during.isDown() {
					t.Errorf("told that it is down: %v, %v", before.isDown(), during.isDown())
				}
				if err := u.LinkError(true); err != ErrUnbound {
					t.Errorf("the reason is %v", err)
				}
				time.Sleep(time.Second)
				if n := len(f.log()); n > sent {
					t.Fatalf("%d packets are sent as routes decide", n-sent)
				}
				f.script(answerAfter(10*ms, nil))
				public := pendingAsk(u, query("public.example."))
				time.Sleep(20 * ms)
				if !public.good() || public.isDown() {
					t.Error("another query is not asked as routes decide")
				}
				time.Sleep(u.cfg.Patience)
				if !u.Up(wire.Question(query("host.example.").Msg)) {
					t.Error("the upstream is down though it was not asked")
				}
				if before.good() || during.good() || len(before.done)+len(during.done) > 0 {
					t.Error("they do not wait")
				}
				u.Link(3, link.Bound)
				time.Sleep(11 * ms)
				if !before.good() || !during.good() {
					t.Errorf("bound again: replies %v, %v", before.good(), during.good())
				}
				if u.LinkError(true) != nil {
					t.Errorf("the reason is %v", u.LinkError(true))
				}
				gone := pendingAsk(u, over("gone.example."))
				u.Link(0, link.Gone)
				u.Link(0, link.Unbound)
				synctest.Wait()
				if !gone.isDown() {
					t.Error("gone, and back with routes deciding: not told that it is down")
				}
			})
		})
	}
}
