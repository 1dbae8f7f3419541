package upstream

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/udp"
)

func TestR10SendErrors(t *testing.T) {
	for _, tc := range []struct {
		what string
		bad  int // sockets that fail
		dial bool
		err  error
		tcp  bool // fails too
		good bool
		over string
	}{
		{"one socket lost its address", 1, false, syscall.ENETUNREACH, true, true, "udp"},
		{"no route", 99, false, syscall.ENETUNREACH, true, false, ""},
		{"no route when connecting", 99, true, syscall.EHOSTUNREACH, true, false, ""},
		{"closed port", 99, false, syscall.ECONNREFUSED, true, false, ""},
		{"no route for UDP", 99, false, syscall.ENETUNREACH, false, true, "tcp"},
		{"no route for UDP when connecting", 99, true, syscall.EHOSTUNREACH, false, true, "tcp"},
		{"closed UDP port", 99, false, syscall.ECONNREFUSED, false, true, "tcp"},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(ms, nil))
				var seen []int
				fail := func(network string, n int) error {
					if n < tc.bad && network == "udp" {
						seen = append(seen, n)
						return tc.err
					}
					return nil
				}
				f.dial = func(network string, n int) error {
					switch {
					case network == "tcp" && tc.tcp:
						return tc.err
					case tc.dial:
						return fail(network, n)
					}
					return nil
				}
				if !tc.dial {
					f.write = fail
				}
				o := ask(f.upstream(t), query("host.example."))
				equal(t, "good", o.good(), tc.good)
				if !tc.good && (!errors.Is(o.err, tc.err) || o.after != 0) || tc.good && o.after != ms {
					t.Errorf("got %v after %v, want %v at once", o.err, o.after, tc.err)
				}
				if len(seen) > 2 {
					t.Errorf("tried %d times", len(seen))
				}
				if log := f.log(); tc.good && (len(log) != 1 || log[0].network != tc.over) {
					t.Errorf("asked %d times, over %s; want once over %s", len(log), log[0].network, tc.over)
				}
			})
		})
	}
}

// R10: the source address changes while packets are lost, more than once. Each
// time a fresh socket helps, so none of it ends the exchange.
func TestR10ErrorsInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		gone := 0 // sockets below this have lost their address
		f.write = func(_ string, n int) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if n < gone {
				return syscall.ENETUNREACH
			}
			return nil
		}
		move := func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			gone = f.dials["udp"]
		}
		u := f.upstream(t)
		for range 50 { // until all sockets are in use
			ask(u, query("warm.example."))
		}
		f.script(func(packet) {})
		move()
		time.AfterFunc(10*ms, move)
		time.AfterFunc(400*ms, func() { f.script(answerAfter(ms, nil)) })
		if o := ask(u, query("host.example.")); !o.good() {
			t.Errorf("failed after %v: %v", o.after, o.err)
		}
	})
}

// refusing is a socket to an address behind which one backend of some is dead: a
// part of the packets is refused.
type refusing struct {
	udp.Conn
	received udp.Receiver
	part     float64
	rng      *rand.Rand
	mu       *sync.Mutex
}

func (s *refusing) Send(packets []udp.Packet) {
	for i := range packets {
		s.mu.Lock()
		refuse := s.rng.Float64() < s.part
		s.mu.Unlock()
		if refuse {
			to, quoted := packets[i].Peer, bytes.Clone(packets[i].Msg)
			time.AfterFunc(50*time.Millisecond, func() { s.received([]udp.Packet{{Peer: to, Msg: quoted, Err: syscall.ECONNREFUSED}}) })
			continue
		}
		s.Conn.Send(packets[i : i+1])
	}
}

// A balancer by flows sends one of the sockets to a dead backend: the query that is
// refused goes out of another.
func TestOneSocketRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		var mu sync.Mutex
		rng := rand.New(rand.NewPCG(1, 2))
		n := 0
		u := f.upstream(t, func(c *Config) {
			c.Dial = func(context.Context, udp.Peer) (net.Conn, error) { return nil, syscall.ECONNREFUSED }
			c.Ports = ports.Over(func(v6 bool, received udp.Receiver) (udp.Conn, error) {
				conn, err := f.Listen(v6, received)
				if err != nil {
					return nil, err
				}
				part := 0.0
				if n++; n == 1 {
					part = 1
				}
				return &refusing{conn, received, part, rng, &mu}, nil
			})
		})
		lost := 0
		for range 50 {
			if o := ask(u, query("host.example.")); !o.good() {
				lost++
			}
		}
		if lost > 0 {
			t.Errorf("%d of 50 were refused twice on the same socket", lost)
		}
	})
}

// Without a file descriptor for another socket, those at hand serve.
func TestNoFreshSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(ms, nil))
		full := false
		f.dial = func(network string, n int) error {
			if full {
				return syscall.EMFILE
			}
			return nil
		}
		u := f.upstream(t)
		for range 50 {
			ask(u, query("host.example."))
		}
		full = true
		lost := 0
		for range 15 {
			for range 10 {
				if o := ask(u, query("host.example.")); !o.good() {
					lost++
				}
			}
			time.Sleep(time.Second)
		}
		if lost > 0 {
			t.Errorf("%d of 150 queries failed, although 4 sockets were open", lost)
		}
	})
}
