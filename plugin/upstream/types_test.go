package upstream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func typed(name string, qtype uint16) *Query {
	b, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
	if err != nil {
		panic(err)
	}
	return &Query{Msg: b}
}

// R5: an upstream that never answers a type, but all others, is known to be unresponsive for
// it after a few silences; it is asked all the same, and heard when it answers one.
func TestR5Unresponsive(t *testing.T) {
	for _, qtype := range []uint16{dns.TypeAAAA, dns.TypeHTTPS, dns.TypeA} {
		t.Run(dns.TypeToString[qtype], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				notes := &notes{start: time.Now()}
				f := newFake(answerAfter(10*ms, func(p packet) bool { return wire.QuestionType(wire.Question(p.msg)) != qtype }))
				u := f.upstream(t, func(c *Config) { c.Observer = notes })
				other := uint16(dns.TypeA)
				if qtype == other {
					other = dns.TypeMX
				}
				waited := 0
				for i := range 10 {
					name := fmt.Sprintf("host%d.example.", i)
					go ask(u, typed(name, other))
					o := ask(u, typed(name, qtype))
					if o.toldDown {
						t.Fatalf("query %d: told down", i)
					}
					if !o.toldUnresponsive {
						waited++
					}
				}
				if waited > 3 {
					t.Errorf("%d of 10 were waited for", waited)
				}
				f.script(answerAfter(10*ms, nil))
				if o := ask(u, typed("host.example.", qtype)); !o.good() || !o.toldUnresponsive {
					t.Errorf("the first that is answered: good %v, told unresponsive %v", o.good(), o.toldUnresponsive)
				}
				if o := ask(u, typed("host.example.", qtype)); !o.good() || o.toldUnresponsive {
					t.Errorf("the next: good %v, told unresponsive %v", o.good(), o.toldUnresponsive)
				}
				n := 0
				notes.mu.Lock()
				defer notes.mu.Unlock()
				for _, line := range notes.lines {
					if len(line) > 4 && line[len(line)-4:] == "true" || len(line) > 5 && line[len(line)-5:] == "false" {
						n++
					}
				}
				equal(t, "notes of types", n, 2)
			})
		})
	}
}

// Names that stay without reply are no sign of deafness, if something easy of that
// type is answered.
func TestR5BrokenZoneIsResponsive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(answerAfter(10*ms, func(p packet) bool { return !asksBelow(p.msg, 'b') }))
		u := f.upstream(t)
		for i := range 10 {
			go ask(u, typed("host.example.", dns.TypeMX))
			if o := ask(u, query(fmt.Sprintf("broken%d.example.", i))); o.toldUnresponsive || o.toldDown {
				t.Fatalf("query %d: told unresponsive %v, down %v", i, o.toldUnresponsive, o.toldDown)
			}
		}
	})
}

// asksBelow reports whether the name asked for begins with that letter.
func asksBelow(msg []byte, letter byte) bool { return wire.Question(msg)[1] == letter }
