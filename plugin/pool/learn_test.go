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
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// A world of upstreams without sockets, in virtual time. What they do with a question is
// drawn before it is asked, so that it can be asked with knowledge and without.

// doing is what an upstream does with a question.
type doing struct {
	down, unresponsive bool          // it says so at once, and may reply all the same
	falls              time.Duration // when it goes down; 0: it does not
	after              time.Duration // its reply comes
	reply              []byte        // nil: there is none
	err                error         // it fails instead
}

// acting asks upstreams that do as drawn.
type acting struct {
	do    []doing
	asked []bool
}

func (a *acting) Asked()    {}
func (a *acting) More() int { return 0 }

func (a *acting) Follow(int, *race.Leg, []byte) bool { return false }

func (a *acting) AskLeg(i int, leg *race.Leg) (race.Exchange, instant.Time) {
	a.asked[i] = true
	d := a.do[i]
	if d.down {
		leg.Health(true, 1)
	}
	if d.unresponsive {
		leg.Unresponsive(false)
	}
	if d.falls > 0 {
		time.AfterFunc(d.falls, func() { leg.Health(true, 1) })
	}
	switch {
	case d.err != nil:
		time.AfterFunc(d.after, func() { leg.Fail(d.err) })
	case d.reply != nil:
		time.AfterFunc(d.after, func() { leg.Reply(d.reply, instant.Now(), false) })
	}
	return idle{}, instant.Never
}

type idle struct{}

func (idle) Retry(instant.Time) instant.Time { return instant.Never }
func (idle) Release()                        {}

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
func learning(n int, change ...func(*Config)) *set {
	cfg := Config{Values: option.Default()}
	cfg.Learn = 10 * time.Minute
	for _, c := range change {
		c(&cfg)
	}
	return newSet(&cfg, members(n), nil)
}

// hold has the question asked with what the set knows, and learns from it.
func (s *set) hold(t *testing.T, msg []byte, do []doing) (c *call, took time.Duration, asked []bool) {
	t.Helper()
	c = &call{set: s, question: wire.Question(msg)}
	c.Members = s.members
	setup := race.Setup{Rules: s.cfg.Rules, Watched: true}
	c.Plan, setup.Prefer = c.consult(time.Now())
	setup.Plan = c.Plan
	a := &acting{do: do, asked: make([]bool, len(do))}
	*c.race.race.Setup() = setup
	c.race.race.Begin(nil, len(do), a)
	start := time.Now()
	c.Result.Result = c.race.race.Wait(t.Context())
	took = time.Since(start)
	c.learn(t.Context(), msg)
	c.race.End()
	return c, took, a.asked
}

// without asks everybody.
func without(t *testing.T, rules race.Rules, msg []byte, do []doing) (race.Result, time.Duration) {
	t.Helper()
	a := &acting{do: do, asked: make([]bool, len(do))}
	var r race.Race
	*r.Setup() = race.Setup{Rules: rules, Watched: true}
	r.Begin(nil, len(do), a)
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
			d.reply = replyTo(msg, dns.RcodeSuccess, []string{"fd00::1", "2001:db8::1", "2a00::1"}[i%3])
		default:
			d.reply = replyTo(msg, dns.RcodeSuccess, []string{"10.0.0.1", "192.0.2.1", "198.51.100.1"}[i%3])
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
			d.unresponsive = true
		case n == 5:
			d.reply, d.unresponsive = nil, true
		case n == 6:
			d.reply = replyTo(msg, dns.RcodeRefused, "")
		}
		do = append(do, d)
	}
	return do
}

// outcome is a race with knowledge, beside the same without.
type outcome struct {
	*call
	took, offTook time.Duration
	off           race.Result
	asked         []bool
	do            []doing
}

const worldHedge = 100 * time.Millisecond

// worlds holds races in random worlds, each with knowledge and without. Judge says what
// is wrong with one. So many queries a race are saved at the least.
func worlds(t *testing.T, seeds int, least float64, change func(seed int, c *Config), judge func(o *outcome) string) {
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
			s := learning(w.n, func(c *Config) { c.Hedge = worldHedge; change(seed, c) })
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
				o := &outcome{do: w.draw(zone, host, qtype, msg)}
				o.off, o.offTook = without(t, s.cfg.Rules, msg, o.do)
				o.call, o.took, o.asked = s.hold(t, msg, o.do)
				if wrong := judge(o); wrong != "" {
					t.Errorf("seed %d, %s %s: %s\nplan %+v, asked %v\ndoing %s", seed, zone, dns.Type(qtype), wrong, o.Plan, o.asked, describe(o.do))
				}
				races++
				for _, a := range o.asked {
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
	if float64(saved) < least*float64(races) {
		t.Errorf("of %d races only %d queries were saved", races, saved)
	}
}

// denied reports whether the name is denied, and whether somebody was not asked.
func (o *outcome) denied() (denied, left bool) {
	return o.Verdict >= race.NXDomain && o.Verdict <= race.NXDomainChain, slices.Contains(o.asked, false)
}

// R15: whatever the world, with what was learned a reply is never worse than without,
// nobody who is up is left out of a denial, and no reply comes later than by the hedge.
func TestR15Property(t *testing.T) {
	worlds(t, testkit.Times(60, 2000), 0.5, func(int, *Config) {}, func(o *outcome) string {
		verdict := o.Verdict
		if o.Proven {
			verdict = race.NoDataSOA
		}
		if verdict < o.off.Verdict {
			return fmt.Sprintf("%v, without knowledge %v", verdict, o.off.Verdict)
		}
		if o.took > o.offTook+worldHedge {
			return fmt.Sprintf("took %v, without knowledge %v", o.took, o.offTook)
		}
		if denied, left := o.denied(); denied && left {
			return "denied, and not all were asked"
		}
		for i, d := range o.do {
			if o.asked[i] && d.reply == nil && o.Verdict.Negative() && o.Conclusive() {
				return fmt.Sprintf("conclusive without upstream %d", i)
			}
		}
		return ""
	})
}

// R17, R18: with a preference, a name that is found without it is found; it takes
// no longer than a better answer is waited for. While the only knower is away, a denial may be a failure.
func TestR17Property(t *testing.T) {
	change := func(seed int, c *Config) {
		c.Away = seed%2 == 0
		c.Prefer = []option.Preference{option.Order, option.Private}[seed/2%2]
	}
	worlds(t, testkit.Times(60, 1000), 0.4, change, func(o *outcome) string {
		switch {
		case o.off.Verdict == race.Good && o.Verdict != race.Good && o.Verdict != race.NoDataSOA:
			return fmt.Sprintf("%v, and it was there to be found", o.Verdict)
		case o.off.Verdict.Negative() && o.Verdict < o.off.Verdict && !o.Proven && !o.Away:
			return fmt.Sprintf("%v, without knowledge %v", o.Verdict, o.off.Verdict)
		case o.took > max(o.offTook+grace, maxBetter)+worldHedge:
			return fmt.Sprintf("took %v, without knowledge %v", o.took, o.offTook)
		}
		if denied, left := o.denied(); denied && left {
			return "denied, and not all were asked"
		}
		return ""
	})
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
		text += fmt.Sprintf("  %s, down %v, falls %v, unresponsive %v\n", what, d.down, d.falls, d.unresponsive)
	}
	return text
}
