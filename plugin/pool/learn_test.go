package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// A world of upstreams without sockets, in virtual time. What they do with a question is
// drawn before it is asked, so that it can be asked with knowledge and without.

// doing is what an upstream does with a question.
type doing struct {
	down, deaf bool          // it says so at once, and may reply all the same
	falls      time.Duration // when it goes down; 0: it does not
	after      time.Duration // its reply comes
	reply      []byte        // nil: there is none
	err        error         // it fails instead
}

// acting asks upstreams that do as drawn.
type acting struct {
	do    []doing
	asked []bool
}

func (a *acting) Asked() {}

func (a *acting) AskLeg(i int, leg *race.Leg) (race.Retrier, time.Time) {
	a.asked[i] = true
	d := a.do[i]
	if d.down {
		leg.Presence(true, 1)
	}
	if d.deaf {
		leg.Deaf()
	}
	if d.falls > 0 {
		time.AfterFunc(d.falls, func() { leg.Presence(true, 1) })
	}
	switch {
	case d.err != nil:
		time.AfterFunc(d.after, func() { leg.Fail(d.err) })
	case d.reply != nil:
		time.AfterFunc(d.after, func() { leg.Reply(d.reply, time.Now(), false) })
	}
	return idle{}, time.Time{}
}

type idle struct{}

func (idle) Retry(time.Time) time.Time { return time.Time{} }

// reply says of the question what rcode and address say; without address it has an SOA.
func replyTo(msg []byte, rcode int, address string) []byte {
	q := new(dns.Msg)
	if q.Unpack(msg) != nil {
		panic("a question of ours")
	}
	m := new(dns.Msg).SetRcode(q, rcode)
	m.RecursionAvailable = true
	hdr := dns.RR_Header{Name: q.Question[0].Name, Rrtype: q.Question[0].Qtype, Class: dns.ClassINET, Ttl: 60}
	switch addr, err := netip.ParseAddr(address); {
	case err != nil && rcode != dns.RcodeServerFailure:
		hdr.Rrtype = dns.TypeSOA
		m.Ns = []dns.RR{&dns.SOA{Hdr: hdr, Ns: ".", Mbox: "."}} // it lives for no time
	case err != nil:
	case addr.Is4():
		m.Answer = []dns.RR{&dns.A{Hdr: hdr, A: addr.AsSlice()}}
	default:
		m.Answer = []dns.RR{&dns.AAAA{Hdr: hdr, AAAA: addr.AsSlice()}}
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// members are upstreams that are never asked.
func members(n int) (list []*Member) {
	for range n {
		list = append(list, &Member{Upstream: upstream.New(upstream.Config{Timeout: time.Second, Patience: time.Second})})
	}
	return list
}

// learning is a set of upstreams with what it has learned.
func learning(n int, change ...func(*option.Values)) *set {
	v := option.Default()
	v.Learn = 10 * time.Minute
	for _, c := range change {
		c(&v)
	}
	return New(Config{Values: v}).newSet(members(n))
}

// hold has the question asked with what the set knows, and learns from it.
func (s *set) hold(t *testing.T, msg []byte, do []doing) (f *flight, took time.Duration, asked []bool) {
	t.Helper()
	f = &flight{set: s, question: wire.Question(msg)}
	f.Members = s.members
	var better race.Choice
	f.Plan, better = f.consult(time.Now())
	a := &acting{do: do, asked: make([]bool, len(do))}
	f.asking.race = s.pool.cfg.Rules.Begin(f.Plan, len(do), a)
	f.asking.race.Choose(better)
	start := time.Now()
	f.Result = f.asking.race.Wait(t.Context())
	took = time.Since(start)
	f.learn(msg)
	f.asking.End()
	return f, took, a.asked
}

// without asks everybody.
func without(t *testing.T, rules race.Rules, msg []byte, do []doing) (race.Result, time.Duration) {
	t.Helper()
	a := &acting{do: do, asked: make([]bool, len(do))}
	r := rules.Begin(race.Plan{}, len(do), a)
	start := time.Now()
	res := r.Wait(t.Context())
	r.End()
	return res, time.Since(start)
}

func pack(t *testing.T, name string, qtype uint16) []byte {
	t.Helper()
	b, err := new(dns.Msg).SetQuestion(name, qtype).Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// randomWorld draws who knows which zone, and what upstreams do with a question.
type randomWorld struct {
	*rand.Rand
	n      int
	owners map[string][]bool // by zone, and upstream
	broken []time.Time       // until when an upstream is away
}

func (w *randomWorld) move(zone string) {
	w.owners[zone] = make([]bool, w.n)
	for i := range w.owners[zone] {
		w.owners[zone][i] = w.IntN(3) == 0
	}
}

func (w *randomWorld) draw(zone string, host int, qtype uint16, msg []byte) (do []doing) {
	for i := range w.n {
		d := doing{after: time.Duration(1+w.IntN(60))*time.Millisecond + time.Duration(w.IntN(1e6))} // no two at a time
		if w.IntN(10) == 0 {
			d.after *= 20
		}
		switch {
		case !w.owners[zone][i]:
			d.reply = replyTo(msg, dns.RcodeNameError, "")
		case host%4 == 0 && qtype == dns.TypeAAAA:
			d.reply = replyTo(msg, dns.RcodeSuccess, "")
		case host%5 == 0: // a name that nobody has
			d.reply = replyTo(msg, dns.RcodeNameError, "")
		case qtype == dns.TypeAAAA:
			d.reply = replyTo(msg, dns.RcodeSuccess, fmt.Sprintf("2001:db8:%x::1", i))
		default:
			d.reply = replyTo(msg, dns.RcodeSuccess, fmt.Sprintf("192.0.2.%d", i+1))
		}
		away := time.Now().Before(w.broken[i])
		switch n := w.IntN(40); {
		case away && n < 30:
			d.reply = nil
			d.down = n < 20
			d.falls = 2 * time.Second
		case away:
			d.down = true // and back
		case n == 0:
			d.reply = replyTo(msg, dns.RcodeServerFailure, "")
		case n == 1:
			d.err = errors.New("broken")
		case n == 2:
			d.reply = nil // to the end
		case n == 3:
			d.reply, d.falls = nil, 2*time.Second
		case n == 4:
			d.deaf = true
		case n == 5:
			d.reply, d.deaf = nil, true
		case n == 6:
			d.reply = replyTo(msg, dns.RcodeRefused, "")
		}
		do = append(do, d)
	}
	return do
}

// R15: whatever the world, with what was learned a reply is never worse than without,
// nobody who is up is left out of a denial, and no reply comes later than by the hedge.
func TestR15Property(t *testing.T) {
	seeds := testkit.Times(60, 2000)
	const hedge = 100 * time.Millisecond
	saved, races := 0, 0
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := &randomWorld{Rand: rand.New(rand.NewPCG(7, uint64(seed)))}
			w.n = 1 + w.IntN(5)
			w.owners, w.broken = make(map[string][]bool), make([]time.Time, w.n)
			zones := []string{"corp.example.", "sub.corp.example.", "site.example.", "example.", "x."}
			for _, zone := range zones {
				w.move(zone)
			}
			s := learning(w.n, func(v *option.Values) { v.Hedge = hedge; v.Spread = seed%2 == 0 })
			for range 150 {
				switch w.IntN(60) {
				case 0:
					w.move(zones[w.IntN(len(zones))])
					time.Sleep(6 * time.Second) // what was denied is so no more
				case 1:
					i := w.IntN(w.n)
					w.broken[i] = time.Now().Add(time.Duration(w.IntN(20)) * time.Second)
				case 2:
					s.zones.Returned(time.Now())
				case 3:
					time.Sleep(time.Duration(w.IntN(900)) * time.Second)
				}
				zone, host, qtype := zones[w.IntN(len(zones))], w.IntN(8), []uint16{dns.TypeA, dns.TypeAAAA}[w.IntN(2)]
				msg := pack(t, fmt.Sprintf("host%d.%s", host, zone), qtype)
				do := w.draw(zone, host, qtype, msg)
				off, offTook := without(t, s.pool.cfg.Rules, msg, do)
				f, took, asked := s.hold(t, msg, do)
				verdict := f.Verdict
				if f.Proven {
					verdict = race.NoDataSOA
				}
				tell := func(format string, args ...any) {
					t.Errorf("seed %d, %s %s: %s\nplan %+v, asked %v\ndoing %s", seed, zone, dns.Type(qtype), fmt.Sprintf(format, args...), f.Plan, asked, describe(do))
				}
				if verdict < off.Verdict {
					tell("%v, without knowledge %v", verdict, off.Verdict)
				}
				if took > offTook+hedge {
					tell("took %v, without knowledge %v", took, offTook)
				}
				if verdict >= race.NXDomain && verdict <= race.NXDomainChain && slices.Contains(asked, false) {
					tell("denied, and not all were asked")
				}
				if f.Verdict.Negative() && f.Conclusive() {
					for i, d := range do {
						if asked[i] && d.reply == nil {
							tell("conclusive without upstream %d", i)
						}
					}
				}
				races++
				for _, a := range asked {
					if !a {
						saved++
					}
				}
				time.Sleep(time.Duration(w.IntN(2000)) * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d races, %d queries saved", races, saved)
	if saved < races/2 {
		t.Errorf("of %d races only %d queries were saved", races, saved)
	}
}

func describe(do []doing) (text string) {
	for _, d := range do {
		what := "silent"
		if d.reply != nil {
			what = fmt.Sprint(race.Judge(d.reply, race.Policy{}), " after ", d.after)
		}
		if d.err != nil {
			what = fmt.Sprint(d.err, " after ", d.after)
		}
		text += fmt.Sprintf("  %s, down %v, falls %v, deaf %v\n", what, d.down, d.falls, d.deaf)
	}
	return text
}
