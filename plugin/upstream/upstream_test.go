package upstream

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

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
		if len(conns) != maxSockets {
			t.Errorf("packets came from %d sockets, want %d", len(conns), maxSockets)
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
			if n := f.stillOpen(); n > 2*maxSockets {
				t.Fatalf("%d sockets are open", n)
			}
		}
		if n := f.opened("udp"); n < 4*maxSockets || n > 8*maxSockets {
			t.Errorf("%d sockets were opened in a minute", n)
		}
		time.Sleep(maxAge + testTimeout)
		equal(t, "sockets open when idle", f.stillOpen(), 0)
	})
}

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
		{"all lost", 0, 99, []time.Duration{0, 250 * ms, 750 * ms}, []time.Duration{1750 * ms}, 1760 * ms},
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
				udp := times(f.log(), "udp")
				for i := range udp { // a learnt RTO is near, not equal
					udp[i] = udp[i].Round(20 * ms)
				}
				want := slices.Clone(tc.udp)
				for i := range want {
					want[i] = want[i].Round(20 * ms)
				}
				equal(t, "packets over UDP at", udp, want)
				equal(t, "packets over TCP at", times(f.log(), "tcp"), tc.tcp)
				ids := map[uint16]bool{}
				conns := map[int]bool{}
				for _, p := range f.log() {
					if p.network == "udp" {
						ids[wire.Header(p.msg).ID()] = true
						conns[p.conn] = true
					}
				}
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
		{"TC with answer, of no use", TruncatedNever, func(m *dns.Msg) { tc1(m); good(m) }, 1},
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

func TestR9Mismatches(t *testing.T) {
	wrongID := func(msg []byte) []byte {
		b := replyTo(msg, good)
		wire.Header(b).SetID(wire.Header(b).ID() + 1)
		return b
	}
	edit := func(f func(*dns.Msg)) func([]byte) []byte {
		return func(msg []byte) []byte { return replyTo(msg, func(m *dns.Msg) { good(m); f(m) }) }
	}
	for what, bad := range map[string]func([]byte) []byte{
		"a query":        edit(func(m *dns.Msg) { m.Response = false }),
		"wrong name":     edit(func(m *dns.Msg) { m.Question[0].Name = "other.example." }),
		"wrong type":     edit(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA }),
		"wrong class":    edit(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"wrong opcode":   edit(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"two questions":  edit(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"empty NOERROR":  func(msg []byte) []byte { return append(replyTo(msg, nil)[:4:4], make([]byte, 8)...) },
		"short":          func(msg []byte) []byte { return msg[:5] },
		"empty":          func([]byte) []byte { return nil },
		"only a header":  func(msg []byte) []byte { return replyTo(msg, good)[:wire.HeaderSize] },
		"another id too": func(msg []byte) []byte { return replyTo(wrongID(msg), func(m *dns.Msg) { m.Question[0].Name = "x." }) },
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					p.send(bad(p.msg))
					answerAfter(50*ms, nil)(p)
				})
				o := ask(f.upstream(t), query("host.example."))
				if !o.good() || o.after != 50*ms {
					t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
				}
				equal(t, "queries over TCP", len(times(f.log(), "tcp")), 0)
			})
		})
	}
}

// R9: an error without question is the resolver's opinion.
func TestR9HeaderOnlyError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			p.send(replyTo(p.msg, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeFormatError }))
		})
		o := ask(f.upstream(t), query("host.example."))
		if o.reply == nil || wire.Header(o.reply).Rcode() != dns.RcodeFormatError {
			t.Errorf("got % x, %v", o.reply, o.err)
		}
	})
}

func TestR9NearMiss(t *testing.T) {
	forge := func(p packet) {
		b := replyTo(p.msg, good)
		wire.Header(b).SetID(^wire.Header(b).ID())
		p.send(b)
	}
	t.Run("goes to TCP and to another socket", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(func(p packet) {
				if p.network == "udp" {
					forge(p)
					answerAfter(50*ms, nil)(p) // nobody listens any more
				} else {
					answerAfter(10*ms, nil)(p)
				}
			})
			u := f.upstream(t)
			o := ask(u, query("host.example."))
			if !o.good() || o.after != 10*ms {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
			spoilt := f.log()[0].conn
			f.script(answerAfter(ms, nil))
			for range 50 {
				ask(u, query("next.example."))
			}
			for _, p := range f.log() {
				if p.network == "udp" && p.conn == spoilt {
					t.Fatal("the socket is still used")
				}
			}
		})
	})
	t.Run("without TCP", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(func(p packet) {
				if p.n == 0 {
					forge(p)
				} else {
					answerAfter(10*ms, nil)(p)
				}
			})
			f.dial = func(network string, _ int) error {
				if network == "tcp" {
					return syscall.ECONNREFUSED
				}
				return nil
			}
			o := ask(f.upstream(t), query("host.example."))
			if !o.good() || o.after != 10*ms {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
		})
	})
	t.Run("again and again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(forge)
			f.dial = func(network string, _ int) error {
				if network == "tcp" {
					return syscall.ECONNREFUSED
				}
				return nil
			}
			o := ask(f.upstream(t), query("host.example."))
			if o.err == nil || o.calls != 1 {
				t.Errorf("no failure: %d calls", o.calls)
			}
			equal(t, "packets", len(f.log()), 2)
		})
	})
	t.Run("a late second reply is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(answerAfter(300*ms, nil)) // slower than the first RTO: two packets, two replies
			u := f.upstream(t)
			ask(u, query("host.example."))
			for range 8 { // the same question is open on all sockets when the second comes
				go ask(u, query("host.example."))
			}
			time.Sleep(testTimeout)
			equal(t, "queries over TCP", len(times(f.log(), "tcp")), 0)
		})
	})
}

// A reply with its records cut off says nothing; over TCP it comes whole.
func TestMalformedReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			b := replyTo(p.msg, good)
			if p.network == "udp" {
				b = b[:len(b)-3]
			}
			p.send(b)
		})
		u := f.upstream(t)
		if o := ask(u, query("host.example.")); !o.good() {
			t.Error(o.err)
		}
		f.script(func(p packet) { b := replyTo(p.msg, good); p.send(b[:len(b)-3]) })
		if o := ask(u, query("host.example.")); !errors.Is(o.err, errMalformed) || o.after != 0 {
			t.Errorf("got %v after %v", o.err, o.after)
		}
	})
}

func TestR10SendErrors(t *testing.T) {
	for _, tc := range []struct {
		what string
		bad  int // sockets that fail
		dial bool
		err  error
		good bool
	}{
		{"one socket lost its address", 1, false, syscall.ENETUNREACH, true},
		{"no route", 99, false, syscall.ENETUNREACH, false},
		{"no route when connecting", 99, true, syscall.EHOSTUNREACH, false},
		{"closed port", 99, false, syscall.ECONNREFUSED, false},
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
				if tc.dial {
					f.dial = fail
				} else {
					f.write = fail
				}
				o := ask(f.upstream(t), query("host.example."))
				equal(t, "good", o.good(), tc.good)
				if !tc.good && (!errors.Is(o.err, tc.err) || o.after != 0) {
					t.Errorf("got %v after %v, want %v at once", o.err, o.after, tc.err)
				}
				if len(seen) > 2 {
					t.Errorf("tried %d times", len(seen))
				}
				equal(t, "queries over TCP", len(times(f.log(), "tcp")), 0)
			})
		})
	}
}

// R10: the source address changes while packets are lost, more than once.
func TestR10ErrorsInBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		gone := 0 // sockets below this have lost their address
		f.write = func(_ string, n int) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if n < gone {
				return syscall.ENETUNREACH
			}
			return nil
		}
		leave := func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			gone = f.dials["udp"]
		}
		time.AfterFunc(100*ms, leave)
		time.AfterFunc(400*ms, leave)
		time.AfterFunc(3000*ms, func() { f.script(answerAfter(ms, nil)) })
		o := ask(f.upstream(t, func(c *Config) { c.Patience = testTimeout }), query("host.example."))
		if o.err != nil {
			t.Errorf("failed after %v: %v", o.after, o.err)
		}
		if n := len(times(f.log(), "udp")); n > maxPackets+2 {
			t.Errorf("%d packets", n)
		}
	})
}

func TestR5Down(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)

		first := ask(u, query("host.example."))
		equal(t, "down after", first.down, testPatience)
		sent, probes := f.sent()
		equal(t, "packets over UDP and then TCP", sent, maxPackets+1)
		if probes == 0 {
			t.Error("it is not probed")
		}
		equal(t, "calls of Reply and Fail", first.calls, 0)

		f.script(func(packet) {})
		second := newOutcome()
		x, next := u.Ask(query("host.example."), second)
		if !second.toldDown {
			t.Error("a down upstream did not say so at once")
		}
		drive(x, next, second)
		sent, _ = f.sent()
		equal(t, "packets to a down upstream", sent, 1)

		f.script(answerAfter(10*ms, nil))
		back := ask(u, query("host.example."))
		if !back.good() || back.after != 10*ms {
			t.Errorf("good %v after %v", back.good(), back.after)
		}
		if back = ask(u, query("host.example.")); back.toldDown {
			t.Error("is still down after a reply")
		}
	})
}

// R5: a down upstream is found to be up again without a client's query.
func TestR5Probe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		ask(u, query("host.example."))
		time.Sleep(time.Hour)
		f.script(answerAfter(ms, nil))
		time.Sleep(tidyEvery + 10*ms)
		if o := ask(u, query("host.example.")); o.toldDown || !o.good() {
			t.Errorf("down %v, good %v a second after its return", o.toldDown, o.good())
		}
		f.script(func(packet) {})
		time.Sleep(time.Minute)
		equal(t, "packets to an idle upstream", len(f.log()), 0)
	})
}

// R5: all that wait for an upstream learn at the same time that it is down, also
// those who came later.
func TestR5DownIsToldToAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		go ask(u, query("one.example."))
		time.Sleep(1500 * ms)
		two := ask(u, query("two.example."))
		equal(t, "down after", two.down, testPatience-1500*ms)
	})
}

// R5: who talks to others is up, and only slow on this name.
func TestR5SlowIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			if wire.SameQuestion(wire.Question(p.msg), wire.Question(query("slow.example.").Msg)) {
				answerAfter(3900*ms, nil)(p)
			} else {
				answerAfter(ms, nil)(p)
			}
		})
		u := f.upstream(t)
		go func() {
			for range 3 {
				time.Sleep(500 * ms)
				ask(u, query("other.example."))
			}
		}()
		o := ask(u, query("slow.example."))
		equal(t, "told down", o.toldDown, false)
		if !o.good() || o.after != 3900*ms {
			t.Errorf("good %v after %v", o.good(), o.after)
		}
	})
}

// A packet lost before a quiet hour is no hour of silence.
func TestR5QuietIsNotDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(packet) {})
		u := f.upstream(t)
		won := newOutcome()
		won.over = true // another upstream won at once
		u.Ask(query("host.example."), won)
		time.Sleep(time.Hour)
		f.script(answerAfter(1900*ms, nil))
		o := ask(u, query("host.example."))
		equal(t, "told down", o.toldDown, false)
		if !o.good() {
			t.Error(o.err)
		}
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
			for range perSecond {
				o := newOutcome()
				o.over = true
				u.Ask(query("host.example."), o)
			}
			time.Sleep(time.Second)
			u.mu.Lock()
			n := len(u.waiting())
			u.mu.Unlock()
			if n > (int(testTimeout/time.Second)+3)*perSecond || f.stillOpen() > 16 {
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
