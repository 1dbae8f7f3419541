package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// fakeLink is a link whose changes are seen by looks alone.
type fakeLink struct {
	u    *Upstream
	took time.Duration // by a look, which sees what was at its beginning

	mu     sync.Mutex
	index  uint32
	state  link.State
	looked int
}

func (l *fakeLink) set(index uint32, state link.State) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index, l.state = index, state
}

func (l *fakeLink) looks() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.looked
}

func (l *fakeLink) look() {
	l.mu.Lock()
	index, state := l.index, l.state
	l.looked++
	l.mu.Unlock()
	time.Sleep(l.took)
	l.u.Link(index, state)
}

// over fails as a system does for packets over links that are not there.
func (l *fakeLink) over(index uint32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == link.Gone || index != l.index {
		return syscall.ENETUNREACH
	}
	return nil
}

// linked returns an upstream on a link, at a fake that is reached over that as it is now.
func linked(t *testing.T, f *fake, change func(*Config)) (*Upstream, *fakeLink) {
	l := &fakeLink{took: ms}
	f.over = l.over
	l.u = f.upstream(t, change, func(c *Config) { c.LookAtLink = l.look })
	return l.u, l
}

// is makes that the state of the link, and has the upstream know it.
func (l *fakeLink) is(index uint32, state link.State) {
	l.set(index, state)
	l.u.Link(index, state)
}

// asLinked are the ways to ask a fake upstream over its link; over HTTPS and QUIC a dial that
// fails is all that differs.
var asLinked = map[string]func(*Config){
	"over UDP": func(*Config) {},
	"over TCP": forceTCP,
	"over QUIC": func(c *Config) {
		dial := c.Dial
		forceTCP(c)
		c.DialRoundTripper = func(ctx context.Context, to udp.Peer) (RoundTripper, error) {
			conn, err := dial(ctx, to)
			if err != nil {
				return nil, fmt.Errorf("handshake: %w", err)
			}
			return oneByOne{conn, make(chan struct{})}, nil
		}
	},
}

// oneByOne makes a connection to the fake one for round trips.
type oneByOne struct {
	net.Conn
	done chan struct{}
}

func (c oneByOne) Done() <-chan struct{} { return c.done }

func (c oneByOne) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	return answerNow(ctx, msg)
}

func answerNow(_ context.Context, msg []byte) ([]byte, error) { return replyTo(msg, good), nil }

// R20: nobody is told that a link is gone, and nothing fails because of the link that was, before
// the link was looked at since: whatever it was thought to be, and is now. Six ask at once.
func TestR20LookedAtFirst(t *testing.T) {
	type at struct {
		index uint32
		state link.State
	}
	for _, tc := range []struct {
		what          string
		thought, true at
		good          bool
	}{
		{"came", at{0, link.Gone}, at{4, link.Bound}, true},
		{"came, routes decide", at{0, link.Gone}, at{0, link.Unbound}, true},
		{"replaced", at{3, link.Bound}, at{4, link.Bound}, true},
		{"bound, routes decide by now", at{3, link.Bound}, at{0, link.Unbound}, true},
		{"routes decided, bound by now", at{0, link.Unbound}, at{4, link.Bound}, true},
		{"gone unnoticed", at{3, link.Bound}, at{0, link.Gone}, false},
		{"gone where routes decided", at{0, link.Unbound}, at{0, link.Gone}, false},
		{"still gone", at{0, link.Gone}, at{0, link.Gone}, false},
	} {
		for name, change := range asLinked {
			t.Run(tc.what+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					u, l := linked(t, newFake(answerAfter(ms, nil)), change)
					l.is(tc.thought.index, tc.thought.state)
					l.set(tc.true.index, tc.true.state)
					var all [6]*outcome
					for i := range all {
						all[i] = pendingAsk(u, query("host.example."))
					}
					synctest.Wait()
					for _, o := range all {
						if _, err := o.failure(); o.isDown() || o.good() || err != nil {
							t.Fatal("told before the link was looked at")
						}
					}
					time.Sleep(100 * ms)
					for _, o := range all {
						if _, err := o.failure(); o.good() != tc.good || o.isDown() == tc.good || err != nil {
							t.Errorf("good %v, told down %v, failed with %v", o.good(), o.isDown(), err)
						}
					}
					l.set(5, link.Bound)
					u.Link(5, link.Bound)
					time.Sleep(100 * ms)
					for _, o := range all {
						if !o.good() {
							t.Error("not asked anew when the link is back")
						}
					}
				})
			})
		}
	}
}

// R20: a look says nothing to those that asked after its beginning.
func TestR20LookBegunBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, l := linked(t, newFake(answerAfter(ms, nil)), forceTCP)
		l.took = 6 * ms
		l.is(0, link.Gone)
		early := pendingAsk(u, query("early.example."))
		time.Sleep(2 * ms)
		l.set(4, link.Bound)
		late := pendingAsk(u, query("late.example."))
		time.Sleep(5 * ms) // the first look has ended
		if !early.isDown() || late.isDown() {
			t.Errorf("told that it is down: %v, %v; want the first alone", early.isDown(), late.isDown())
		}
		time.Sleep(20 * ms)
		if !late.good() || !early.good() {
			t.Errorf("good: %v, %v", early.good(), late.good())
		}
		equal(t, "looks", l.looks(), 2)
	})
}

// R20: a link that goes and comes again, as the same, while a query is sent from two ports and
// over a stream, or while a connection is dialled.
func TestR20LinkFlaps(t *testing.T) {
	for name, change := range asLinked {
		most := map[string]int{"over UDP": 3, "over TCP": 1, "over QUIC": 1}[name]
		for inVain := range most + 1 {
			t.Run(fmt.Sprint(inVain, " times ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var mu sync.Mutex
					left := inVain
					f := newFake(answerAfter(ms, nil))
					u, l := linked(t, f, change)
					f.over = func(uint32) error {
						mu.Lock()
						defer mu.Unlock()
						if left == 0 {
							return nil
						}
						left--
						return syscall.ENETUNREACH
					}
					l.is(3, link.Bound)
					if o := ask(u, query("host.example.")); !o.good() || o.isDown() || o.after > 350*ms {
						t.Errorf("failed with %v after %v, told down %v", o.err, o.after, o.isDown())
					}
				})
			})
		}
	}
}

// R20: what fails although the link is what it was thought to be fails soon, with its own
// error, and after few packets; and however many ask, looks are few.
func TestR20OrdinaryFailure(t *testing.T) {
	for _, failure := range []error{
		syscall.ENETUNREACH, os.NewSyscallError("connect", syscall.EHOSTUNREACH), syscall.ENODEV, syscall.EADDRNOTAVAIL,
		syscall.ECONNREFUSED, errors.New("certificate is not valid"),
	} {
		for name, change := range asLinked {
			t.Run(fmt.Sprint(failure, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sent := 0
					var mu sync.Mutex
					f := newFake(answerAfter(ms, nil))
					u, l := linked(t, f, change)
					f.over = func(uint32) error {
						mu.Lock()
						defer mu.Unlock()
						sent++
						return failure
					}
					l.is(3, link.Bound)
					begun := time.Now()
					var all []*outcome
					for range 1000 {
						all = append(all, pendingAsk(u, query("host.example.")))
						time.Sleep(ms)
					}
					time.Sleep(time.Second)
					for _, o := range all {
						if after, err := o.failure(); !errors.Is(err, failure) || after > 350*ms {
							t.Fatalf("failed with %v after %v", err, after)
						}
					}
					if most := int(time.Since(begun)/lookEvery) + 1; l.looks() > most || l.looks() == 0 {
						t.Errorf("%d looks, want at most %d", l.looks(), most)
					}
					if most := 8 * len(all); sent > most {
						t.Errorf("%d packets and dials of %d queries", sent, len(all))
					}
				})
			})
		}
	}
}

// R20: while a link is gone it is looked at for those that ask, at most once each lookEvery; never
// without being asked, for a probe, or while the upstream replies.
func TestR20FewLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, l := linked(t, newFake(answerAfter(ms, nil)), func(*Config) {})
		l.is(3, link.Bound)
		for range 100 {
			if o := ask(u, query("host.example.")); !o.good() || o.after > ms {
				t.Fatalf("good %v after %v", o.good(), o.after)
			}
		}
		equal(t, "looks while it replies", l.looks(), 0)
		l.is(0, link.Gone)
		u.probe()
		time.Sleep(10 * time.Second)
		equal(t, "looks while nothing is asked", l.looks(), 0)
		for range 1000 {
			o := pendingAsk(u, query("host.example."))
			time.Sleep(ms)
			o.waitNoMore()
		}
		time.Sleep(time.Second)
		if n := l.looks(); n < 50 || n > 101 {
			t.Errorf("%d looks in a second", n)
		}
		o := pendingAsk(u, query("host.example."))
		time.Sleep(time.Second)
		if !o.isDown() || o.down > 2*lookEvery {
			t.Errorf("told down %v after %v", o.isDown(), o.down)
		}
	})
}

// R21: likewise for a query that is asked over the link alone, while routes were thought to decide.
func TestR21LookedAtFirst(t *testing.T) {
	if !link.CanBind {
		t.Skip("sockets cannot be bound to links here, so routes always decide")
	}
	for name, change := range asLinked {
		for _, now := range []link.State{link.Unbound, link.Gone, link.Bound} {
			t.Run(fmt.Sprint(now, " ", name), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(answerAfter(ms, nil))
					u, l := linked(t, f, change)
					l.is(0, link.Unbound)
					index := map[link.State]uint32{link.Bound: 4}[now]
					l.set(index, now)
					over := query("private.example.")
					over.OverLink = true
					o := pendingAsk(u, over)
					synctest.Wait()
					if o.isDown() || len(f.log()) > 0 {
						t.Error("told, or asked, before the link was looked at")
					}
					time.Sleep(50 * ms)
					if good := now == link.Bound; o.good() != good || o.isDown() == good {
						t.Errorf("good %v, told down %v", o.good(), o.isDown())
					}
					for _, p := range f.log() {
						if p.link != index || index == 0 {
							t.Errorf("a packet goes over link %d", p.link)
						}
					}
				})
			})
		}
	}
}
