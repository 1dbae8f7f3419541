package upstream

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

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
					answerAfter(50*ms, nil)(p) // it is not listened to any more
				} else {
					answerAfter(10*ms, nil)(p)
				}
			})
			u := f.upstream(t)
			o := ask(u, query("host.example."))
			if !o.good() || o.after != 10*ms {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
			retired := f.log()[0].conn
			f.script(answerAfter(ms, nil))
			for range 50 {
				ask(u, query("next.example."))
			}
			for _, p := range f.log() {
				if p.network == "udp" && p.conn == retired {
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

// Late replies are no forgeries.
func TestLateIsNoNearMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		obs := &upObserver{}
		f := newFake(answerAfter(3200*ms, func(p packet) bool { return wire.QuestionType(wire.Question(p.msg)) == dns.TypeA }))
		f.dial = nil
		u := f.upstream(t, func(c *Config) { c.Observer = obs })
		// Another upstream wins at once each time.
		for range 20 {
			o := newOutcome()
			u.Ask(query("host.example."), o)
			time.Sleep(10 * ms)
			o.waitNoMore()
			time.Sleep(time.Second)
		}
		if n := obs.near.Load(); n > 0 {
			t.Errorf("%d late replies were taken for forged ones; %d queries over TCP", n, len(times(f.log(), "tcp")))
		}
	})
}
