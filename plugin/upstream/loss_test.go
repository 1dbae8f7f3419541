package upstream

import (
	"errors"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestR6Retransmission(t *testing.T) {
	for _, tc := range []struct {
		what  string
		rtt   time.Duration // learnt before, from a few queries; 0: nothing learnt
		lost  int           // packets over UDP that get no reply
		udp   []time.Duration
		tcp   []time.Duration
		after time.Duration
	}{
		{"nothing lost", 0, 0, []time.Duration{0}, nil, 10 * ms},
		{"first lost", 0, 1, []time.Duration{0, 250 * ms}, nil, 260 * ms},
		{"two lost", 0, 2, []time.Duration{0, 250 * ms, 750 * ms}, nil, 760 * ms},
		{"all lost", 0, 99, []time.Duration{0, 250 * ms, 750 * ms}, []time.Duration{1500 * ms}, 1510 * ms},
		{"a near resolver", 10 * ms, 99, []time.Duration{0, 100 * ms, 300 * ms}, []time.Duration{700 * ms}, 710 * ms},
		{"a far resolver", 200 * ms, 1, []time.Duration{0, 200 * ms}, nil, 210 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(tc.rtt, nil))
				u := f.upstream(t)
				if tc.rtt > 0 {
					for range 40 {
						ask(u, query("warm.example."))
						time.Sleep(time.Second)
					}
				}
				f.script(answerAfter(10*ms, func(p packet) bool { return p.network == "tcp" || p.n >= tc.lost }))
				o := ask(u, query("host.example."))
				if !o.good() || o.after != tc.after {
					if tc.rtt < 100*ms || o.after.Round(20*ms) != tc.after.Round(20*ms) {
						t.Errorf("good %v after %v (%v), want after %v", o.good(), o.after, o.err, tc.after)
					}
				}
				var udp, tcp []time.Duration // without the probes
				ids := map[uint16]bool{}
				conns := map[int]bool{}
				for _, p := range f.log() {
					switch {
					case wire.SameQuestion(wire.Question(p.msg), wire.Question(rootNS)):
					case p.network == "tcp":
						tcp = append(tcp, p.at)
					default:
						udp = append(udp, p.at)
						ids[wire.Header(p.msg).ID()] = true
						conns[p.conn] = true
					}
				}
				for i := range udp { // a learnt RTO is near, not equal
					udp[i] = udp[i].Round(20 * ms)
				}
				want := slices.Clone(tc.udp)
				for i := range want {
					want[i] = want[i].Round(20 * ms)
				}
				equal(t, "packets over UDP at", udp, want)
				equal(t, "packets over TCP at", tcp, tc.tcp)
				if len(ids) != 1 || len(conns) != 1 {
					t.Errorf("sent again with %d ids on %d sockets, want the same", len(ids), len(conns))
				}
			})
		})
	}
}

// A reply that comes after the exchange went over to TCP, or after the race is
// over, still counts.
func TestR6LateReplies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(2*time.Second, func(p packet) bool { return p.network == "udp" && p.n == 0 }))
		u := f.upstream(t)
		o := ask(u, query("slow.example."))
		if !o.good() || o.after != 2*time.Second || o.calls != 1 {
			t.Errorf("good %v after %v, %d calls", o.good(), o.after, o.calls)
		}

		f.script(answerAfter(30*ms, nil))
		late := newOutcome()
		late.over = true
		before := u.estimate()
		u.Ask(query("late.example."), late)
		time.Sleep(time.Second)
		if u.estimate() == before {
			t.Errorf("the late reply taught nothing: %+v", before)
		}
	})
}

func TestR8Truncated(t *testing.T) {
	tc1 := func(m *dns.Msg) { m.Truncated = true }
	for _, tc := range []struct {
		what string
		use  Truncated
		udp  func(*dns.Msg)
		tcp  int // queries over TCP
	}{
		{"TC without answer", TruncatedAnswers, tc1, 1},
		{"TC with answer", TruncatedAnswers, func(m *dns.Msg) { tc1(m); good(m) }, 0},
		{"TC with answer, unusable", TruncatedNever, func(m *dns.Msg) { tc1(m); good(m) }, 1},
		{"no TC", TruncatedNever, good, 0},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					if p.network == "udp" {
						p.send(replyTo(p.msg, tc.udp))
					} else {
						p.send(replyTo(p.msg, good))
					}
				})
				q := query("host.example.")
				q.Truncated = tc.use
				o := ask(f.upstream(t), q)
				if !o.good() || o.after != 0 {
					t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
				}
				equal(t, "queries over TCP", len(times(f.log(), "tcp")), tc.tcp)
			})
		})
	}
}

// R8: a client on TCP is served over TCP, but a resolver that is reached by UDP
// alone still answers.
func TestR8StreamFirst(t *testing.T) {
	for _, tc := range []struct {
		what     string
		tcp      error
		force    bool
		udp, ok  int
		replyLen int
	}{
		{"open", nil, false, 0, 1, 0},
		{"closed", syscall.ECONNREFUSED, false, 1, 1, 0},
		{"closed, force_tcp", syscall.ECONNREFUSED, true, 0, 0, 0},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(answerAfter(ms, nil))
				f.dial = func(network string, _ int) error {
					if network == "tcp" {
						return tc.tcp
					}
					return nil
				}
				q := query("host.example.")
				q.Stream = true
				o := ask(f.upstream(t, func(c *Config) { c.ForceTCP = tc.force }), q)
				equal(t, "good", o.good(), tc.ok == 1)
				equal(t, "queries over UDP", len(times(f.log(), "udp")), tc.udp)
				if tc.ok == 0 && !errors.Is(o.err, syscall.ECONNREFUSED) {
					t.Errorf("error is %v", o.err)
				}
			})
		})
	}
}

// When TCP brings the reply that UDP did not, the UDP sockets may have a source
// address that no longer leads anywhere; the next query gets others.
func TestR10SilentSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var moved atomic.Bool // a probe may come over TCP at the same time
		f := newFake(func(p packet) {
			if p.network == "tcp" || moved.Load() && p.conn > 0 {
				moved.Store(true)
				answerAfter(ms, nil)(p)
			}
		})
		u := f.upstream(t)
		if o := ask(u, query("host.example.")); !o.good() || o.after < 500*ms {
			t.Fatalf("good %v after %v", o.good(), o.after)
		}
		for range 50 { // each on a socket chosen at random
			if o := ask(u, query("host.example.")); !o.good() || o.after != ms {
				t.Fatalf("good %v after %v", o.good(), o.after)
			}
		}
	})
}

// A truncated reply is handed on when TCP opens, but says nothing.
func TestTruncatedTCPSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			if p.network == "udp" {
				p.send(replyTo(p.msg, func(m *dns.Msg) { good(m); m.Truncated = true }))
			}
		})
		u := f.upstream(t)
		q := query("host.example.")
		q.Truncated = TruncatedNever
		o := ask(u, q)
		if !o.good() {
			t.Errorf("%v after %v", o.err, o.after)
		}
	})
}
