package upstream

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

// warmth notes for how long there is a connection, and how often one is dialled.
type warmth struct {
	mu    sync.Mutex
	open  int
	since time.Time     // when the first of those open was opened
	total time.Duration // with one open
	dials int
}

func (w *warmth) opened() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open++; w.open == 1 {
		w.since = time.Now()
	}
}

func (w *warmth) closed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open--; w.open == 0 {
		w.total += time.Since(w.since)
	}
}

func (w *warmth) now() (open, dials int, total time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	total = w.total
	if w.open > 0 {
		total += time.Since(w.since)
	}
	return w.open, w.dials, total
}

// warmUpstream returns an upstream whose connections are held open for two minutes. The
// resolver closes each after life (0: never), and takes none while refuse says so.
func warmUpstream(t *testing.T, tripper bool, life time.Duration, refuse func() bool) (*Upstream, *warmth) {
	w := new(warmth)
	dialled := func() error {
		w.mu.Lock()
		w.dials++
		w.mu.Unlock()
		if refuse() {
			return errors.New("refused")
		}
		w.opened()
		return nil
	}
	f := newFake(answerAfter(0, nil))
	u := f.upstream(t, func(c *Config) {
		c.ForceTCP, c.Warm = true, 2*time.Minute
		if !tripper {
			dial := c.Dial
			c.Dial = func(ctx context.Context, to udp.Peer) (net.Conn, error) {
				if err := dialled(); err != nil {
					return nil, err
				}
				conn, err := dial(ctx, to)
				c := &timedConn{Conn: conn, w: w}
				if life > 0 {
					time.AfterFunc(life, func() { c.Close() })
				}
				return c, err
			}
			return
		}
		s := &single{t: t, answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) {
			return slowly(ctx, ms, msg)
		}}
		c.DialRoundTripper = func(ctx context.Context, to udp.Peer) (RoundTripper, error) {
			if err := dialled(); err != nil {
				return nil, err
			}
			conn, err := s.dial(ctx, to)
			context.AfterFunc(doneContext{context.Background(), conn.Done()}, w.closed)
			if life > 0 {
				time.AfterFunc(life, func() { conn.Close() })
			}
			return conn, err
		}
	})
	return u, w
}

// doneContext is a context that is done with something else.
type doneContext struct {
	context.Context
	done <-chan struct{}
}

func (c doneContext) Done() <-chan struct{} { return c.done }
func (c doneContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// timedConn notes when it is closed.
type timedConn struct {
	net.Conn
	w    *warmth
	once sync.Once
}

func (c *timedConn) Close() error {
	c.once.Do(c.w.closed)
	return c.Conn.Close()
}

func eachKind(t *testing.T, test func(t *testing.T, tripper bool)) {
	for name, tripper := range map[string]bool{"stream": false, "round tripper": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, tripper) })
		})
	}
}

// For two minutes after the last query there is a connection, however often the resolver
// closes it; but one that closes each soon is not dialled again and again.
func TestWarmStays(t *testing.T) {
	for _, life := range []time.Duration{0, ms, time.Second, 4 * time.Second, 6 * time.Second, 10 * time.Second, 30 * time.Second, 119 * time.Second} {
		t.Run(life.String(), func(t *testing.T) {
			eachKind(t, func(t *testing.T, tripper bool) {
				u, w := warmUpstream(t, tripper, life, func() bool { return false })
				if o := ask(u, query("host.example.")); !o.good() {
					t.Fatal(o.err)
				}
				const warm = 2 * time.Minute
				time.Sleep(warm - time.Second)
				synctest.Wait()
				open, dials, total := w.now()
				if most := 2 + int(warm/rewarmEvery); dials > most {
					t.Errorf("%d dials, want %d at most", dials, most)
				}
				if life == 0 || life >= rewarmEvery {
					if open != 1 {
						t.Error("no connection is open")
					}
					if total < warm*95/100 {
						t.Errorf("one was open for %v only", total)
					}
				}
				time.Sleep(3 * time.Second)
				synctest.Wait()
				if open, _, _ := w.now(); open != 0 {
					t.Errorf("%d connections are open after two minutes", open)
				}
				_, before, _ := w.now()
				time.Sleep(10 * time.Minute)
				if _, after, _ := w.now(); after != before {
					t.Errorf("%d dials while nothing is asked", after-before)
				}
				if o := ask(u, query("host.example.")); !o.good() {
					t.Errorf("the next query: %v", o.err)
				}
			})
		})
	}
}

// A resolver that starts again takes no connections for a while; then there is one before
// anybody asks.
func TestWarmAfterRestart(t *testing.T) {
	eachKind(t, func(t *testing.T, tripper bool) {
		var refuse atomic.Bool
		u, w := warmUpstream(t, tripper, 20*time.Second, refuse.Load)
		ask(u, query("host.example."))
		time.Sleep(19 * time.Second)
		refuse.Store(true)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if open, dials, _ := w.now(); open != 0 || dials > 4 {
			t.Errorf("%d connections are open, %d dials", open, dials)
		}
		refuse.Store(false)
		time.Sleep(rewarmEvery + time.Second)
		synctest.Wait()
		if open, _, _ := w.now(); open != 1 {
			t.Error("no connection is open when it takes some again")
		}
	})
}

// Where the link is gone nothing is dialled.
func TestR20NotWarm(t *testing.T) {
	eachKind(t, func(t *testing.T, tripper bool) {
		u, w := warmUpstream(t, tripper, 10*time.Second, func() bool { return false })
		u.Link(3, link.Bound)
		ask(u, query("host.example."))
		u.Link(0, link.Gone)
		time.Sleep(time.Minute)
		synctest.Wait()
		if open, dials, _ := w.now(); open != 0 || dials != 1 {
			t.Errorf("%d connections are open, %d dials", open, dials)
		}
	})
}
