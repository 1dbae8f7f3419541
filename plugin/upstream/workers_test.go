package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// single is a resolver that is asked over RoundTrippers.
type single struct {
	t      *testing.T
	answer func(ctx context.Context, c *singleConn, msg []byte) ([]byte, error)

	mu    sync.Mutex
	conns []*singleConn
	now   int // exchanges under way
	most  int
}

type singleConn struct {
	s    *single
	once sync.Once
	done chan struct{}
}

func (c *singleConn) Done() <-chan struct{} { return c.done }
func (c *singleConn) Close() error          { c.once.Do(func() { close(c.done) }); return nil }

func (c *singleConn) RoundTrip(ctx context.Context, msg []byte) ([]byte, error) {
	if id := wire.Header(msg).ID(); id != 0 {
		c.s.t.Errorf("a message has the id %d", id)
	}
	c.s.count(1)
	defer c.s.count(-1)
	return c.s.answer(ctx, c, msg)
}

func (s *single) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now += n
	s.most = max(s.most, s.now)
}

func (s *single) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// conn returns the n-th connection, counted from 0.
func (s *single) conn(n int) *singleConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[n]
}

// underway counts the exchanges, now and at the most.
func (s *single) underway() (now, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.most
}

func (s *single) dial(context.Context, udp.Peer) (RoundTripper, error) {
	time.Sleep(5 * ms)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &singleConn{s: s, done: make(chan struct{})}
	s.conns = append(s.conns, c)
	return c, nil
}

// upstream returns an upstream that asks s.
func (s *single) upstream(t *testing.T) *Upstream {
	s.t = t
	return newFake(nil).upstream(t, func(c *Config) {
		c.ForceTCP, c.DialRoundTripper, c.Warm = true, s.dial, time.Minute
	})
}

// slowly answers after d, unless it is called off before.
func slowly(ctx context.Context, d time.Duration, msg []byte) ([]byte, error) {
	select {
	case <-time.After(d):
		return replyTo(msg, good), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Queries share a connection up to a bound, and then a few.
func TestRoundTripperIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) { return slowly(ctx, 100*ms, msg) }}
		u := s.upstream(t)
		burst := func(n int) {
			var all sync.WaitGroup
			for range n {
				all.Go(func() {
					if o := ask(u, query("host.example.")); !o.good() {
						t.Error(o.err)
					}
				})
			}
			all.Wait()
		}
		burst(maxWorkers)
		equal(t, "connections", s.opened(), 1)
		burst(3 * maxStreams * maxWorkers)
		if n := s.opened(); n < 2 || n > maxStreams {
			t.Errorf("%d connections", n)
		}
		_, most := s.underway()
		equal(t, "exchanges at a time", most, s.opened()*maxWorkers)
	})
}

// What fails alone has no consequence for others.
func TestRoundTripperAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := QueryError{errors.New("HTTP status 404")}
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) {
			switch wire.QuestionType(wire.Question(msg)) {
			case dns.TypeNS:
				return nil, bad
			case dns.TypeMX:
				return replyTo(query("other.example.").Msg, good), nil
			case dns.TypeSOA:
				return []byte{1}, nil
			}
			return slowly(ctx, 100*ms, msg)
		}}
		u := s.upstream(t)
		var all sync.WaitGroup
		all.Go(func() {
			if o := ask(u, query("host.example.")); !o.good() {
				t.Error(o.err)
			}
		})
		for qtype, want := range map[uint16]error{dns.TypeNS: bad, dns.TypeMX: errMalformed, dns.TypeSOA: errMalformed} {
			msg, _ := new(dns.Msg).SetQuestion("host.example.", qtype).Pack()
			if o := ask(u, &Query{Msg: msg}); !errors.Is(o.err, want) {
				t.Errorf("error is %v, want %v", o.err, want)
			}
		}
		all.Wait()
		equal(t, "connections", s.opened(), 1)
	})
}

// When a connection fails, what was asked on it is asked again on another.
func TestRoundTripperFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(single)
		var asked atomic.Int32
		s.answer = func(ctx context.Context, c *singleConn, msg []byte) ([]byte, error) {
			if c == s.conn(0) {
				asked.Add(1)
				time.Sleep(10 * ms)
				return nil, errors.New("GOAWAY")
			}
			return slowly(ctx, 0, msg)
		}
		u := s.upstream(t)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if o := ask(u, query("host.example.")); !o.good() {
					t.Error(o.err)
				}
			})
		}
		all.Wait()
		for range 10 {
			if o := ask(u, query("host.example.")); !o.good() || o.after > 0 {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
		}
		equal(t, "queries on the first", asked.Load(), 20)
		select {
		case <-s.conn(0).Done():
		default:
			t.Error("the first is still open")
		}
		equal(t, "connections", s.opened(), 2)
	})
}

// A connection that failed a query, or has ended, is asked nothing more: what was queued for
// it is asked on another, and answered.
func TestRoundTripperIsAskedNoMore(t *testing.T) {
	for _, how := range []string{"a query fails", "the connection ends"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mu sync.Mutex
				asked, failed, after := 0, false, 0
				s := &single{answer: func(ctx context.Context, c *singleConn, msg []byte) ([]byte, error) {
					mu.Lock()
					first := c == c.s.conn(0)
					if first {
						if asked++; failed {
							after++
						}
					}
					ends := first && asked == 1
					mu.Unlock()
					if !ends {
						return slowly(ctx, 100*ms, msg)
					}
					time.Sleep(50 * ms)
					mu.Lock()
					failed = true
					mu.Unlock()
					if how == "a query fails" {
						return nil, errors.New("broken")
					}
					c.Close()
					time.Sleep(ms)
					return slowly(ctx, 10*ms, msg)
				}}
				u := s.upstream(t)
				var all sync.WaitGroup
				for range maxStreams * maxWorkers * 2 {
					all.Go(func() {
						if o := ask(u, query("host.example.")); !o.good() {
							t.Error(o.err)
						}
					})
				}
				all.Wait()
				if asked < maxWorkers || after > 0 {
					t.Errorf("%d queries went over the connection, %d after it had ended", asked, after)
				}
			})
		})
	}
}

// A connection that the server ends is replaced at once, and what is under way on
// it may still be answered.
func TestRoundTripperLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) { return slowly(ctx, 100*ms, msg) }}
		u := s.upstream(t)
		ask(u, query("first.example."))
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if o := ask(u, query("host.example.")); !o.good() || o.after > 110*ms {
					t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
				}
			})
			time.Sleep(10 * ms)
			s.conn(0).Close()
			synctest.Wait()
		}
		all.Wait()
		equal(t, "connections", s.opened(), 2)
		s.conn(1).Close()
		time.Sleep(10 * ms)
		equal(t, "connections, one of them warm", s.opened(), 3)
	})
}

// Exchanges of a silent server are called off when they are not waited for.
func TestRoundTripperSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var silent atomic.Bool
		silent.Store(true)
		s := &single{answer: func(ctx context.Context, _ *singleConn, msg []byte) ([]byte, error) {
			if silent.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return slowly(ctx, 0, msg)
		}}
		u := s.upstream(t)
		var all sync.WaitGroup
		for range 10 * maxWorkers {
			all.Go(func() {
				if o := ask(u, query("host.example.")); o.good() || o.err != nil {
					t.Errorf("good %v, error %v", o.good(), o.err)
				}
			})
		}
		all.Wait()
		if _, most := s.underway(); most > (maxStreams+1)*maxWorkers { // one is being closed
			t.Errorf("%d exchanges at a time", most)
		}
		time.Sleep(5 * tidyEvery)
		if now, _ := s.underway(); now > maxWorkers {
			t.Errorf("%d exchanges that are not waited for", now)
		}
		silent.Store(false)
		time.Sleep(2 * tidyEvery) // a probe finds it up
		if o := ask(u, query("host.example.")); !o.good() || o.toldDown {
			t.Errorf("good %v, down %v: %v", o.good(), o.toldDown, o.err)
		}
	})
}
