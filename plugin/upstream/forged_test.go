package upstream

import (
	"errors"
	"fmt"
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
			f.dial = noTCP
			o := ask(f.upstream(t), query("host.example."))
			if !o.good() || o.after != 10*ms {
				t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
			}
		})
	})
	t.Run("again and again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(func(p packet) {
				if asks(p.msg, "host.example.") {
					forge(p)
				}
			})
			f.dial = noTCP
			o := ask(f.upstream(t), query("host.example."))
			if o.calls != 0 {
				t.Errorf("%d calls: it ended though a reply may come: %v", o.calls, o.err)
			}
			packets, _ := f.sent()
			equal(t, "packets", packets, 2)
		})
	})
	t.Run("a late second reply is none", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(answerAfter(300*ms, nil)) // slower than the first RTO: two packets, two replies
			u := f.upstream(t)
			ask(u, query("host.example."))
			for range maxSame { // the same question is open on other sockets when the second comes
				go ask(u, query("host.example."))
			}
			time.Sleep(testTimeout)
			equal(t, "queries over TCP", len(times(f.log(), "tcp")), 0)
		})
	})
}

// noTCP refuses connections.
func noTCP(network string, _ int) error {
	if network == "tcp" {
		return syscall.ECONNREFUSED
	}
	return nil
}

// R9: replies with wrong ids end the asking, not the listening: the reply that is on its way
// is taken, up to a bound, from which on the upstream gives no opinion.
func TestR9WrongIDsThenTheReply(t *testing.T) {
	const wrong = "wrong ids, each with the question"
	for _, what := range []string{wrong, "errors without a question, wrong ids", "errors without a question, all ids", "denials without a question, all ids"} {
		for _, tcp := range []bool{false, true} {
			for _, n := range []int{1, 2, 3, maxWrongIDs/2 - 1, maxWrongIDs + 2, 300} {
				t.Run(fmt.Sprintf("%d %s, TCP %v", n, what, tcp), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						f := newFake(nil)
						f.script(func(p packet) {
							if p.network == "tcp" {
								answerAfter(10*ms, nil)(p)
								return
							}
							for i := range n {
								b := replyTo(p.msg, good)
								switch what {
								case wrong:
								case "denials without a question, all ids":
									b = replyTo(p.msg, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeNameError })
								default:
									b = replyTo(p.msg, func(m *dns.Msg) { m.Question, m.Rcode = nil, dns.RcodeServerFailure })
								}
								id := wire.Header(b).ID() + 1 + uint16(i)
								if what != wrong && what != "errors without a question, wrong ids" && i == n-1 && i >= manyWrongIDs+1 {
									id = wire.Header(b).ID() // it comes to the right one in the end
								}
								wire.Header(b).SetID(id)
								p.send(b)
							}
							answerAfter(300*ms, nil)(p)
						})
						if !tcp {
							f.dial = noTCP
						}
						o := ask(f.upstream(t), query("host.example."))
						switch forged := what == wrong && n > maxWrongIDs; {
						case forged && !tcp:
							if !errors.Is(o.err, ErrForged) {
								t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
							}
						case !o.good() || o.after > 310*ms || tcp && what == wrong && o.after != 10*ms:
							t.Errorf("good %v after %v: %v", o.good(), o.after, o.err)
						}
						if packets, _ := f.sent(); packets > maxPackets {
							t.Errorf("%d packets", packets)
						}
					})
				})
			}
		}
	}
}

// R9: a near miss concerns all that ask the same.
func TestR9NearMissOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(nil)
		f.script(func(p packet) {
			if p.network == "tcp" {
				answerAfter(10*ms, nil)(p)
			}
		})
		u := f.upstream(t)
		var same, others []*outcome
		for range maxSame {
			same, others = append(same, pendingAsk(u, query("host.example."))), append(others, pendingAsk(u, query("other.example.")))
		}
		synctest.Wait()
		for _, p := range f.log() {
			if asks(p.msg, "host.example.") { // one guess, at the port of one
				b := replyTo(p.msg, good)
				wire.Header(b).SetID(^wire.Header(b).ID())
				p.send(b)
				break
			}
		}
		time.Sleep(50 * ms)
		synctest.Wait()
		for i := range same {
			if !same[i].good() || others[i].good() {
				t.Errorf("query %d: after the guess good %v, another one %v", i, same[i].good(), others[i].good())
			}
		}
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

// R9: an exchange whose path over UDP has ended with too many wrong ids says so, also if
// streams fail only later.
func TestR9ForgedIsTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			for i := range 2 * maxWrongIDs {
				b := replyTo(p.msg, good)
				wire.Header(b).SetID(wire.Header(b).ID() + 1 + uint16(i))
				p.send(b)
			}
		})
		f.dial = func(network string, n int) error {
			if network == "tcp" {
				time.Sleep(300 * ms)
			}
			return noTCP(network, n)
		}
		if o := ask(f.upstream(t), query("host.example.")); !errors.Is(o.err, ErrForged) {
			t.Errorf("after %v: %v", o.after, o.err)
		}
	})
}
