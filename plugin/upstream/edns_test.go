package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// withEDNS asks for a name's address with an OPT.
func withEDNS(name string) *Query {
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.SetEdns0(1232, false)
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return &Query{Msg: b}
}

// hasEDNS counts the queries that have an OPT, and those that have none.
func hasEDNS(log []packet) (with, without int) {
	for _, p := range log {
		switch {
		case wire.QuestionType(wire.Question(p.msg)) == dns.TypeNS: // a probe
		case wire.HasOPT(p.msg):
			with++
		default:
			without++
		}
	}
	return with, without
}

// R13: a query that is rejected for its EDNS is asked again without, and the next ones
// are at once; after a time EDNS is tried again.
func TestR13Rejected(t *testing.T) {
	echo := func(m *dns.Msg, q *dns.Msg) { m.SetEdns0(1232, false) }
	for what, reject := range map[string]func(m, q *dns.Msg){
		"FORMERR":          func(m, q *dns.Msg) { m.Rcode = dns.RcodeFormatError },
		"FORMERR with OPT": func(m, q *dns.Msg) { m.Rcode = dns.RcodeFormatError; echo(m, q) },
		"bare FORMERR":     func(m, q *dns.Msg) { m.Rcode, m.Question = dns.RcodeFormatError, nil },
		"NOTIMP":           func(m, q *dns.Msg) { m.Rcode = dns.RcodeNotImplemented },
		"NOTIMP with OPT":  func(m, q *dns.Msg) { m.Rcode = dns.RcodeNotImplemented; echo(m, q) },
		"BADVERS":          func(m, q *dns.Msg) { echo(m, q); m.Rcode = dns.RcodeBadVers },
		"SERVFAIL":         func(m, q *dns.Msg) { m.Rcode = dns.RcodeServerFailure },
		"silence":          nil,
	} {
		for _, tcp := range []bool{false, true} {
			if tcp && reject == nil {
				continue
			}
			t.Run(fmt.Sprintf("%s, over TCP %v", what, tcp), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(func(p packet) {
						switch {
						case !wire.HasOPT(p.msg):
							answerAfter(ms, nil)(p)
						case reject != nil:
							q := new(dns.Msg)
							q.Unpack(p.msg)
							p.send(replyTo(p.msg, func(m *dns.Msg) { reject(m, q) }))
						}
					})
					u := f.upstream(t, func(c *Config) { c.ForceTCP = tcp })
					for i := range 20 {
						if o := ask(u, withEDNS(fmt.Sprintf("host%d.example.", i))); !o.good() || o.toldDown {
							t.Fatalf("query %d: good %v after %v, down %v: %v", i, o.good(), o.after, o.toldDown, o.err)
						}
						if i == 2 {
							f.script(f.answer)
						}
					}
					if with, without := hasEDNS(f.log()); with > 0 || without != 17 {
						t.Errorf("known not to take EDNS, it was asked %d times with and %d without", with, without)
					}
					time.Sleep(15 * time.Minute)
					f.script(f.answer)
					if o := ask(u, withEDNS("later.example.")); !o.good() {
						t.Errorf("later: %v after %v", o.err, o.after)
					}
					if with, _ := hasEDNS(f.log()); with == 0 {
						t.Error("EDNS was not tried again")
					}
				})
			})
		}
	}
}

// R13: nobody is asked again for nothing: errors that have other reasons come to an
// end, and where EDNS is known to work SERVFAIL means what it says.
func TestR13OtherReasons(t *testing.T) {
	for _, tc := range []struct {
		rcode int
		shows bool // EDNS
		most  int  // queries of 30
	}{
		{dns.RcodeServerFailure, true, 30},
		{dns.RcodeServerFailure, false, 30 + 3},
		{dns.RcodeNotImplemented, false, 30 + 3},
		{dns.RcodeFormatError, false, 30 + 3},
	} {
		t.Run(fmt.Sprint(dns.RcodeToString[tc.rcode], tc.shows), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(func(p packet) {
					p.send(replyTo(p.msg, func(m *dns.Msg) {
						if tc.shows && wire.HasOPT(p.msg) {
							m.SetEdns0(1232, false)
						}
						if asks(p.msg, "good.example.") {
							good(m)
						} else {
							m.Rcode = tc.rcode
						}
					}))
				})
				u := f.upstream(t)
				ask(u, withEDNS("good.example."))
				f.script(f.answer)
				for i := range 30 {
					o := ask(u, withEDNS(fmt.Sprintf("host%d.example.", i)))
					if o.reply == nil || wire.Header(o.reply).Rcode() != tc.rcode {
						t.Fatalf("query %d: %v", i, o.err)
					}
				}
				if n := len(f.log()); n > tc.most {
					t.Errorf("%d queries, want %d at most", n, tc.most)
				}
				f.script(f.answer)
				ask(u, withEDNS("good.example."))
				if with, without := hasEDNS(f.log()); with != 1 || without != 0 {
					t.Error("EDNS was given up for errors that have other reasons")
				}
			})
		})
	}
}

// Where EDNS is not the reason, the client gets the reply to its own query, which says
// why (RFC 8914).
func TestR13ReasonComesThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			p.send(replyTo(p.msg, func(m *dns.Msg) {
				m.Rcode = dns.RcodeServerFailure
				if wire.HasOPT(p.msg) {
					m.SetEdns0(1232, false)
					m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: 6, ExtraText: "bogus"}}
				}
			}))
		})
		u := f.upstream(t)
		for i := range 5 {
			if o := ask(u, withEDNS("host.example.")); wire.ExtendedErrorText(o.reply) != "bogus" {
				t.Errorf("query %d: the reason is %q", i, wire.ExtendedErrorText(o.reply))
			}
		}
		if with, without := hasEDNS(f.log()); with != 5 || without != 1 {
			t.Errorf("asked %d times with EDNS, %d without; want 5 and once", with, without)
		}
	})
}

// A server that rejects one option is asked again without, each time, and keeps EDNS
// for all else.
func TestR13OneOption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			q := new(dns.Msg)
			q.Unpack(p.msg)
			p.send(replyTo(p.msg, func(m *dns.Msg) {
				if opt := q.IsEdns0(); opt != nil {
					m.SetEdns0(1232, false)
					if len(opt.Option) > 0 {
						m.Rcode = dns.RcodeFormatError
						return
					}
				}
				good(m)
			}))
		})
		u := f.upstream(t)
		ask(u, withEDNS("host.example."))
		m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}}
		b, _ := m.Pack()
		for range 5 {
			if o := ask(u, &Query{Msg: b}); !o.good() {
				t.Fatal("with the option it is not good")
			}
		}
		f.script(f.answer)
		ask(u, withEDNS("host.example."))
		if with, _ := hasEDNS(f.log()); with != 1 {
			t.Error("EDNS was given up for an option")
		}
	})
}

// A name that takes long is no reason to give up EDNS where that is known to work.
func TestR13SlowNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(func(p packet) {
			time.AfterFunc(1200*ms, func() {
				p.send(replyTo(p.msg, func(m *dns.Msg) {
					good(m)
					if wire.HasOPT(p.msg) {
						m.SetEdns0(1232, false)
					}
				}))
			})
		})
		u := f.upstream(t)
		for i := range 10 {
			if o := ask(u, withEDNS(fmt.Sprintf("host%d.example.", i))); !o.good() {
				t.Fatal(o.err)
			}
		}
		f.script(f.answer)
		ask(u, withEDNS("host.example."))
		if with, without := hasEDNS(f.log()); without > 0 || with == 0 {
			t.Errorf("asked %d times with EDNS, %d without", with, without)
		}
	})
}
