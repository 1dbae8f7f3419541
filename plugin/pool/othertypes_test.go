package pool

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// lame is a resolver that answers one type and fails all others with an rcode, -1 being a
// referral. It notes what it is asked for, once each: on a busy machine a query comes again.
type lame struct {
	server.Server
	mu    sync.Mutex
	types map[uint16]int
	came  map[string]bool // queries, by name, type and id
	asked chan uint16
	hold  chan bool // unless nil, it replies to the type that it knows when this is closed
}

func newLame(t *testing.T, knows uint16, rcode int) *lame { return heldLame(t, knows, rcode, nil) }

func heldLame(t *testing.T, knows uint16, rcode int, hold chan bool) *lame {
	t.Helper()
	l := &lame{types: make(map[uint16]int), came: make(map[string]bool), asked: make(chan uint16, 100), hold: hold}
	l.Server = server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		qtype := q.Question[0].Qtype
		query := fmt.Sprint(q.Question[0].Name, qtype, q.Id)
		l.mu.Lock()
		again := l.came[query]
		l.came[query] = true
		if !again {
			l.types[qtype]++
		}
		l.mu.Unlock()
		if !again {
			l.asked <- qtype
		}
		m := new(dns.Msg).SetReply(q)
		switch {
		case qtype == knows:
			if l.hold != nil {
				<-l.hold
			}
			m.Answer = []dns.RR{answerOf(q)}
		case rcode >= 0:
			m.Rcode = rcode
		}
		w.WriteMsg(m)
	}))
	return l
}

func answerOf(q *dns.Msg) dns.RR {
	data := map[uint16]string{dns.TypeA: "10.1.2.3", dns.TypeAAAA: "fd00::1"}[q.Question[0].Qtype]
	rr, err := dns.NewRR(fmt.Sprintf("%s 60 IN %s %s", q.Question[0].Name, dns.Type(q.Question[0].Qtype), data))
	if err != nil {
		panic(err)
	}
	return rr
}

func (l *lame) count(qtype uint16) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.types[qtype]
}

// askFor asks for a type of a name.
func askFor(t *testing.T, name string, qtype uint16, dnssec bool) *query {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, qtype)
	if dnssec {
		m.SetEdns0(1232, true)
	}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &query{msg: msg}
}

var lameRcodes = map[string]int{
	"SERVFAIL": dns.RcodeServerFailure, "NOTIMP": dns.RcodeNotImplemented, "REFUSED": dns.RcodeRefused,
	"FORMERR": dns.RcodeFormatError, "referral": -1,
}

// R18: who fails a type is asked for another before others' denial is given.
func TestR18OtherTypeIsAsked(t *testing.T) {
	for what, rcode := range lameRcodes {
		for _, tc := range []struct{ knows, asked uint16 }{
			{dns.TypeA, dns.TypeAAAA}, {dns.TypeA, dns.TypeHTTPS}, {dns.TypeA, dns.TypeMX}, {dns.TypeAAAA, dns.TypeA},
		} {
			knower := newLame(t, tc.knows, rcode)
			other := newLame(t, dns.TypeNone, dns.RcodeNameError)
			p := newPool(t, resolver(t, ""), knower.Server, other.Server)
			for i := range 2 { // the second has the proof
				res, _ := p.Ask(askFor(t, "wiki.corp.example.", tc.asked, false), nil)
				if !res.Proven || res.Verdict != race.NoData || res.Conclusive() || res.Errs[1] == nil {
					t.Errorf("%s, %s: %v, %v", what, dns.Type(tc.asked), res.Verdict, res.Errs)
				}
				if n := knower.count(tc.knows); n != 1 {
					t.Errorf("%s, %s, query %d: it was asked %d times", what, dns.Type(tc.asked), i, n)
				}
			}
			want := 0 // for it denies the name
			if tc.asked == dns.TypeAAAA || tc.asked == dns.TypeHTTPS {
				want = 1 // clients ask all for A, too
			}
			testkit.Eventually(t, func() error {
				if n := other.count(tc.knows); n != want {
					return fmt.Errorf("%s, %s: one that denies the name was asked for %s %d times", what, dns.Type(tc.asked), dns.Type(tc.knows), n)
				}
				return nil
			})
			if res, _ := p.Ask(askFor(t, "wiki.corp.example.", tc.asked, true), nil); res.Proven || res.Verdict != race.NXDomain {
				t.Errorf("%s, with DO: %v", what, res.Verdict)
			}
		}
	}
}

// R18: where nobody knows the name, it is denied; and where all have denied it, nobody is
// asked for another type.
func TestR18StillDenied(t *testing.T) {
	for what, rcode := range lameRcodes {
		broken, denier := newLame(t, dns.TypeNone, rcode), newLame(t, dns.TypeNone, dns.RcodeNameError)
		res, _ := newPool(t, broken.Server, denier.Server).Ask(ask(t, "none.example."), nil)
		if res.Proven || res.Verdict != race.NXDomain || res.Conclusive() {
			t.Errorf("%s: %v, %v", what, res.Verdict, res.Errs)
		}
		if n := denier.count(dns.TypeAAAA); n != 0 {
			t.Errorf("%s: who denied it was asked for another type %d times", what, n)
		}
	}
	denier := newLame(t, dns.TypeNone, dns.RcodeNameError)
	res, _ := newPool(t, denier.Server).Ask(ask(t, "none.example."), nil)
	if !res.Conclusive() || denier.count(dns.TypeAAAA) != 0 {
		t.Errorf("%v, asked for another type %d times", res.Errs, denier.count(dns.TypeAAAA))
	}
}

// R18: a resolver that has A denies the name for other types, and so do all others. Those that
// clients ask for beside A are not denied, whichever comes first, nor with whom else; A is asked
// for once. If that is denied as well it is so for a moment, and not asked for again.
func TestR18AllDeny(t *testing.T) {
	for _, first := range []uint16{dns.TypeAAAA, dns.TypeHTTPS} {
		knower, denier := newLame(t, dns.TypeA, dns.RcodeNameError), newLame(t, dns.TypeNone, dns.RcodeNameError)
		p := newPool(t, denier.Server, knower.Server)
		results := make(chan *Result, 6)
		for range cap(results) {
			go func() {
				res, _ := p.Ask(askFor(t, "wiki.corp.example.", first, false), nil)
				results <- res
			}()
		}
		for range cap(results) {
			if res := <-results; !res.Proven || res.Verdict != race.NoData {
				t.Errorf("%s: %v", dns.Type(first), res.Verdict)
			}
		}
		if res, _ := p.Ask(ask(t, "wiki.corp.example."), nil); res.Verdict != race.Good {
			t.Errorf("A: %v", res.Verdict)
		}
		if res, _ := p.Ask(askFor(t, "wiki.corp.example.", first, true), nil); res.Proven || res.Verdict != race.NXDomain {
			t.Errorf("%s, with DO: %v", dns.Type(first), res.Verdict)
		}
		testkit.Eventually(t, func() error {
			if n := denier.count(dns.TypeA); n != 2 { // one is the client's
				return fmt.Errorf("%s: asked for A %d times", dns.Type(first), n)
			}
			return nil
		})

		nobody := newLame(t, dns.TypeNone, dns.RcodeNameError)
		p = newPool(t, nobody.Server)
		for _, q := range []*query{
			askFor(t, "none.example.", dns.TypeMX, false), askFor(t, "none.example.", first, false),
			askFor(t, "NONE.example.", first, false), ask(t, "nought.example."), askFor(t, "nought.example.", first, false),
		} {
			if res, _ := p.Ask(q, nil); res.Proven || res.Verdict != race.NXDomain || !res.Conclusive() {
				t.Errorf("%s: %v", nameOf(wire.Question(q.msg)), res.Verdict)
			}
		}
		if n := nobody.count(dns.TypeA); n != 2 {
			t.Errorf("%s: nobody was asked for A %d times", dns.Type(first), n)
		}
	}
}

// What was denied is remembered for a moment, whatever its name's case.
func TestLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		question := func(name string) []byte { return wire.Question(ask(t, name).msg) }
		var l lately
		l.denied(question("a.example."), time.Now())
		if !l.has(question("A.Example."), time.Now()) || l.has(question("b.example."), time.Now()) {
			t.Error("it knows another name, or not its own")
		}
		time.Sleep(momentDenied - tick)
		if !l.has(question("a.example."), time.Now()) {
			t.Error("it is forgotten too soon")
		}
		time.Sleep(2 * tick)
		if l.has(question("a.example."), time.Now()) {
			t.Error("it is not forgotten")
		}
	})
}

// R18: a race for the other type that is under way is waited for, by all clients that wait,
// and nobody is asked once more.
func TestR18RaceUnderWay(t *testing.T) {
	for what, rcode := range lameRcodes {
		for _, knows := range []uint16{dns.TypeA, dns.TypeAAAA} {
			knower := heldLame(t, knows, rcode, make(chan bool))
			p := newPool(t, resolver(t, ""), knower.Server)
			first := make(chan *Result)
			go func() {
				res, _ := p.Ask(askFor(t, "wiki.corp.example.", knows, false), nil)
				first <- res
			}()
			<-knower.asked
			results := make(chan *Result, 6)
			for range cap(results) {
				go func() {
					res, _ := p.Ask(askFor(t, "wiki.corp.example.", otherType(knows), false), nil)
					results <- res
				}()
			}
			<-knower.asked // it fails now
			for waits := false; !waits; time.Sleep(time.Millisecond) {
				p.calls.mu.Lock()
				for _, c := range p.calls.underway {
					waits = waits || c.learned != nil
				}
				p.calls.mu.Unlock()
			}
			close(knower.hold)
			if res := <-first; res.Verdict != race.Good {
				t.Errorf("%s: %v, %v", what, res.Verdict, res.Errs)
			}
			for range cap(results) {
				if res := <-results; !res.Proven {
					t.Errorf("%s: %v, %v", what, res.Verdict, res.Errs)
				}
			}
			if n := knower.count(knows); n != 1 {
				t.Errorf("%s: it was asked %d times", what, n)
			}
		}
	}
}

// Two races that are both denied, and inconclusively, do not wait for each other for ever.
func TestR18BothDenied(t *testing.T) {
	v := option.Default()
	v.Rules.Timeout, v.Patience = testkit.Patience, testkit.Patience
	start := time.Now()
	for range 20 {
		p := New(Config{Values: v})
		t.Cleanup(p.Close)
		p.Replace([]server.Server{resolver(t, ""), newLame(t, dns.TypeNone, dns.RcodeServerFailure).Server})
		results := make(chan *Result, 3)
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS} {
			go func() {
				res, _ := p.Ask(askFor(t, "none.example.", qtype, false), nil)
				results <- res
			}()
		}
		for range cap(results) {
			if res := <-results; res.Verdict != race.NXDomain || res.Proven {
				t.Errorf("%v, %v", res.Verdict, res.Errs)
			}
		}
	}
	if took := time.Since(start); took > testkit.Patience/2 {
		t.Errorf("it took %v", took)
	}
}

// It takes no longer than the race may: a race under way that began later is not waited for to
// its end, and an upstream that is silent to the other type is not either.
func TestR18OtherTypeInTime(t *testing.T) {
	knower := heldLame(t, dns.TypeA, dns.RcodeServerFailure, make(chan bool))
	v := option.Default()
	v.Rules.Timeout, v.Patience = 300*time.Millisecond, 300*time.Millisecond
	p := New(Config{Values: v})
	t.Cleanup(p.Close)
	t.Cleanup(func() { close(knower.hold) })
	p.Replace([]server.Server{resolver(t, ""), knower.Server})
	start := time.Now()
	res, _ := p.Ask(askFor(t, "wiki.corp.example.", dns.TypeAAAA, false), nil)
	if res.Proven || res.Verdict != race.NXDomain || time.Since(start) > testkit.Patience {
		t.Errorf("%v after %v", res.Verdict, time.Since(start))
	}
}

// The query for the other type is the same in all else, over each transport.
func TestOfType(t *testing.T) {
	q := &upstream.Query{Msg: askFor(t, "wiki.corp.example.", dns.TypeAAAA, true).msg, Stream: true, UDPSize: 4096}
	other := ofType(q, dns.TypeA)
	var m dns.Msg
	if err := m.Unpack(other.Msg); err != nil || m.Question[0].Qtype != dns.TypeA || m.Question[0].Name != "wiki.corp.example." || !m.IsEdns0().Do() {
		t.Errorf("%v, %v", err, &m)
	}
	if !other.Stream || other.UDPSize != 4096 || &other.Msg[0] == &q.Msg[0] {
		t.Errorf("%+v", other)
	}
}
