package pool

import (
	"fmt"
	"maps"
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

// mustHaveSeen fails the test if the resolver was not asked for those types, so many times each, and
// no others. All queries of races that are over were sent; they may come later.
func (l *lame) mustHaveSeen(t *testing.T, what string, want map[uint16]int) {
	t.Helper()
	testkit.Eventually(t, func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !maps.Equal(l.types, want) {
			return fmt.Errorf("%s: it was asked for types %v, want %v", what, l.types, want)
		}
		return nil
	})
}

// counting counts what a resolver of a town is asked, by type.
type counting struct {
	mu    sync.Mutex
	types map[uint16]int
	says  func(name string, qtype uint16) string
}

func (c *counting) count(name string, qtype uint16) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.types == nil {
		c.types = make(map[uint16]int)
	}
	if name != "ipv4only.arpa." {
		c.types[qtype]++
	}
	return c.says(name, qtype)
}

func (c *counting) of(qtype uint16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.types[qtype]
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
			other.mustHaveSeen(t, what, map[uint16]int{tc.asked: 2, tc.knows: 1}) // as by a client
			if res, _ := p.Ask(askFor(t, "wiki.corp.example.", tc.asked, true), nil); !res.Proven {
				t.Errorf("%s, with DO: %v", what, res.Verdict)
			}
		}
	}
}

// R18: where nobody knows the name, it is denied, though some gave no opinion.
func TestR18StillDenied(t *testing.T) {
	for what, rcode := range lameRcodes {
		broken, denier := newLame(t, dns.TypeNone, rcode), newLame(t, dns.TypeNone, dns.RcodeNameError)
		res, _ := newPool(t, broken.Server, denier.Server).Ask(ask(t, "none.example."), nil)
		if res.Proven || res.Verdict != race.NXDomain || res.Conclusive() {
			t.Errorf("%s: %v, %v", what, res.Verdict, res.Errs)
		}
	}
}

// otherThanAddress are types besides those of addresses.
var otherThanAddress = []uint16{
	dns.TypeMX, dns.TypeTXT, dns.TypeSRV, dns.TypeNS, dns.TypeSOA, dns.TypeCAA, dns.TypeHTTPS, dns.TypePTR, dns.TypeANY, 65535,
}

// R18: a resolver has one type of address, and denies the name for all other types, and so do all
// others. Whatever type is asked for alone is not denied, with DO or without, nor with whom else; the
// address is asked for once.
func TestR18AllDeny(t *testing.T) {
	for _, knows := range addressTypes {
		others := append([]uint16{otherAddress(knows)}, otherThanAddress...)
		for _, first := range others {
			if first == dns.TypeA { // it is denied at once, see below
				continue
			}
			for _, do := range []bool{false, true} {
				what := fmt.Sprintf("%s of a name with %s, DO %v", dns.Type(first), dns.Type(knows), do)
				synctest.Test(t, func(t *testing.T) {
					denier := &counting{says: always("NXDOMAIN")}
					knower := &counting{says: func(_ string, qtype uint16) string {
						if qtype != knows {
							return "NXDOMAIN"
						}
						return map[uint16]string{dns.TypeA: "10.1.2.3", dns.TypeAAAA: "fd00::1"}[knows]
					}}
					n := newTown(t, []*simple{{delay: 4 * ms, says: denier.count}, {delay: 30 * ms, says: knower.count}})
					look := func(qtype uint16) *Result {
						res, _ := n.pool.Ask(askFor(t, "wiki.corp.example.", qtype, do), nil)
						return res
					}
					var all sync.WaitGroup
					for range 6 {
						all.Go(func() {
							if res := look(first); !res.Proven || res.Verdict != race.NoData {
								t.Errorf("%s: %v", what, res.Verdict)
							}
						})
					}
					all.Wait()
					if n := denier.of(knows); n != 1 {
						t.Errorf("%s: %s was asked for %d times", what, dns.Type(knows), n)
					}
					if res := look(knows); res.Verdict != race.Good {
						t.Errorf("%s, then %s: %v", what, dns.Type(knows), res.Verdict)
					}
					for _, qtype := range others {
						if res := look(qtype); !res.Proven {
							t.Errorf("%s, then %s: %v", what, dns.Type(qtype), res.Verdict)
						}
					}
					n.end()
				})
			}
		}
	}
}

// R18: A is denied at once, for nearly all names that exist have one; but where an upstream was seen
// to deny a name for a type that it lacks, AAAA is asked for first.
func TestR18AddressOfIPv6(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var town counting
		town.says = func(_ string, qtype uint16) string {
			if qtype == dns.TypeAAAA {
				return "fd00::1"
			}
			return "NXDOMAIN"
		}
		n := newTown(t, []*simple{{delay: 4 * ms, says: town.count}})
		for i, tc := range []struct {
			name   string
			qtype  uint16
			proven bool
		}{
			{"one.example.", dns.TypeA, false},
			{"two.example.", dns.TypeMX, true},
			{"one.example.", dns.TypeA, true},
			{"three.example.", dns.TypeA, true},
		} {
			if res, _ := n.pool.Ask(askFor(t, tc.name, tc.qtype, false), nil); res.Proven != tc.proven {
				t.Errorf("query %d: %v", i, res.Verdict)
			}
		}
		n.end()
	})
}

// R18: what it costs to deny a name, in queries to an upstream: types of addresses are asked for
// once, by whatever a client asks, and for five seconds not again. Names that are no hosts cost
// nothing.
func TestR18Cost(t *testing.T) {
	const a, aaaa, https, mx, txt = dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeMX, dns.TypeTXT
	type count map[uint16]int
	for _, tc := range []struct {
		name string
		asks [][]uint16 // one after the other, and each at once
		want count
	}{
		{"none.example.", [][]uint16{{a}}, count{a: 1}},
		{"none.example.", [][]uint16{{a, aaaa}}, count{a: 1, aaaa: 1}},
		{"none.example.", [][]uint16{{a, aaaa, https}, {a, aaaa, https}}, count{a: 2, aaaa: 2, https: 2}},
		{"none.example.", [][]uint16{{aaaa}}, count{aaaa: 1, a: 1}},
		{"none.example.", [][]uint16{{a}, {a}, {a}}, count{a: 3}},
		{"none.example.", [][]uint16{{a}, {aaaa}}, count{a: 1, aaaa: 1}},
		{"none.example.", [][]uint16{{mx}}, count{mx: 1, a: 1, aaaa: 1}},
		{"none.example.", [][]uint16{{mx}, {txt}, {https}, {mx}}, count{mx: 2, txt: 1, https: 1, a: 1, aaaa: 1}},
		{"none.example.", [][]uint16{{mx}, {a}, {aaaa}, {txt}}, count{mx: 1, txt: 1, a: 2, aaaa: 2}},
		{"_dmarc.example.", [][]uint16{{txt}}, count{txt: 1}},
		{"_sip._tcp.example.", [][]uint16{{dns.TypeSRV}}, count{dns.TypeSRV: 1}},
		{"_8443._https.example.", [][]uint16{{https}}, count{https: 1}},
		{"_odd.example.", [][]uint16{{aaaa}}, count{aaaa: 1, a: 1}}, // who asks thinks that it is a host
		{"gc._msdcs.example.", [][]uint16{{txt}}, count{txt: 1, a: 1, aaaa: 1}},
		{"1.0.0.10.IN-ADDR.arpa.", [][]uint16{{dns.TypePTR}}, count{dns.TypePTR: 1}},
		{"1.0.0.d.f.ip6.arpa.", [][]uint16{{dns.TypePTR}, {dns.TypeSOA}}, count{dns.TypePTR: 1, dns.TypeSOA: 1}},
		{"ip6.arpa.", [][]uint16{{dns.TypeNS}}, count{dns.TypeNS: 1}},
		{"arpa.", [][]uint16{{dns.TypeNS}}, count{dns.TypeNS: 1, a: 1, aaaa: 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			nobody := &counting{says: always("NXDOMAIN")}
			n := newTown(t, []*simple{{delay: 4 * ms, says: nobody.count}})
			for _, qtypes := range tc.asks {
				for _, r := range n.look(tc.name, qtypes...) {
					if r.Proven || r.Verdict != race.NXDomainSOA || !r.Conclusive() {
						t.Errorf("%s %v: %v, %v", tc.name, qtypes, r.Verdict, r.Errs)
					}
				}
			}
			if !maps.Equal(nobody.types, tc.want) {
				t.Errorf("%s %v: it was asked for types %v, want %v", tc.name, tc.asks, nobody.types, tc.want)
			}
			n.end()
		})
	}
}

// R18: what was denied a moment ago is asked for again when the upstreams are others.
func TestR18OthersKnow(t *testing.T) {
	denier, knower := newLame(t, dns.TypeNone, dns.RcodeNameError), newLame(t, dns.TypeA, dns.RcodeNameError)
	p := newPool(t, denier.Server)
	for _, all := range [][]server.Server{{denier.Server, knower.Server}, {denier.Server}, {knower.Server, denier.Server}} {
		for _, qtype := range otherThanAddress {
			if res, _ := p.Ask(askFor(t, "wiki.corp.example.", qtype, false), nil); res.Proven != (len(p.Members()) > 1) {
				t.Errorf("%d upstreams, %s: %v", len(p.Members()), dns.Type(qtype), res.Verdict)
			}
		}
		p.Replace(all)
	}
}

// R18: a denial that the zone has signed stays for a client that checks signatures: nothing that is
// signed could take its place. So does that of DS, which is about the parent.
func TestR18Signed(t *testing.T) {
	knower := newLame(t, dns.TypeA, dns.RcodeNameError)
	signs := server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetRcode(q, dns.RcodeNameError)
		if q.IsEdns0() != nil && q.IsEdns0().Do() {
			sig, err := dns.NewRR(". 60 IN RRSIG SOA 8 0 60 20300101000000 20200101000000 1 . AAAA")
			if err != nil {
				panic(err)
			}
			m.Ns = []dns.RR{sig}
		}
		w.WriteMsg(m)
	}))
	p := newPool(t, newLame(t, dns.TypeNone, dns.RcodeNameError).Server, knower.Server)
	if res, _ := p.Ask(askFor(t, "wiki.corp.example.", dns.TypeDS, true), nil); res.Proven || res.Verdict != race.NXDomain {
		t.Errorf("DS, not signed: %v", res.Verdict)
	}
	p = newPool(t, signs, knower.Server)
	for range 2 { // the second time it has the proof
		for _, qtype := range append([]uint16{dns.TypeAAAA}, otherThanAddress...) {
			if res, _ := p.Ask(askFor(t, "wiki.corp.example.", qtype, true), nil); res.Proven || res.Verdict != race.NXDomain || !wire.Signed(res.Msg) {
				t.Errorf("%s with DO: %v", dns.Type(qtype), res.Verdict)
			}
			if res, _ := p.Ask(askFor(t, "wiki.corp.example.", qtype, false), nil); !res.Proven {
				t.Errorf("%s without: %v", dns.Type(qtype), res.Verdict)
			}
		}
	}
}

// What was denied is remembered for a moment, whatever its name's case.
func TestLately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		question := func(name string) []byte { return wire.Question(ask(t, name).msg) }
		var l lately
		has := func(name string, qtype uint16) bool { return l.has(question(name), qtype, time.Now()) }
		l.denied(question("a.example."), time.Now())
		if !has("A.Example.", dns.TypeA) || has("b.example.", dns.TypeA) || has("a.example.", dns.TypeAAAA) {
			t.Error("it knows another name or type, or not its own")
		}
		time.Sleep(momentDenied - tick)
		if !has("a.example.", dns.TypeA) {
			t.Error("it is forgotten too soon")
		}
		time.Sleep(2 * tick)
		if has("a.example.", dns.TypeA) {
			t.Error("it is not forgotten")
		}
		begun := time.Now()
		l.denied(question("a.example."), begun)
		time.Sleep(time.Millisecond)
		l.forget(time.Now())
		if has("a.example.", dns.TypeA) {
			t.Error("it outlives a change of the upstreams")
		}
		if l.denied(question("a.example."), begun); has("a.example.", dns.TypeA) {
			t.Error("what began before a change counts after it")
		}
		if l.denied(question("a.example."), time.Now()); !has("a.example.", dns.TypeA) {
			t.Error("what began after a change does not count")
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
					res, _ := p.Ask(askFor(t, "wiki.corp.example.", otherAddress(knows), false), nil)
					results <- res
				}()
			}
			<-knower.asked // it fails now
			for waits := false; !waits; time.Sleep(time.Millisecond) {
				p.calls.mu.Lock()
				for _, c := range p.calls.underway {
					waits = waits || len(c.race.waits) > 0
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

// otherAddress is the other type of addresses.
func otherAddress(qtype uint16) uint16 {
	if qtype == dns.TypeA {
		return dns.TypeAAAA
	}
	return dns.TypeA
}
