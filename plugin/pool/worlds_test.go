package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
)

const ms = time.Millisecond

// A resolver of a small world: what it says to a name, if it says anything.
type simple struct {
	delay time.Duration
	says  func(name string, qtype uint16) string // an address, "NODATA", "NXDOMAIN", "SERVFAIL"; "": nothing
	down  bool
	fails error
}

// small is a world of such resolvers.
type small struct {
	t   *testing.T
	set *set
	all []*simple
}

func newSmall(t *testing.T, all []*simple, change ...func(*Config)) *small {
	return &small{t: t, set: learning(len(all), change...), all: all}
}

// ask returns what came of a question, and who was asked.
func (w *small) ask(name string, qtype uint16) (*call, time.Duration, []int) {
	w.t.Helper()
	msg := pack(w.t, name, qtype)
	var do []doing
	for _, r := range w.all {
		d := doing{after: r.delay, down: r.down, err: r.fails}
		switch says := r.says(name, qtype); says {
		case "":
		case "NODATA":
			d.reply = replyTo(msg, dns.RcodeSuccess, "")
		case "NXDOMAIN":
			d.reply = replyTo(msg, dns.RcodeNameError, "")
		case "SERVFAIL":
			d.reply = replyTo(msg, dns.RcodeServerFailure, "")
		case "REFUSED":
			d.reply = replyTo(msg, dns.RcodeRefused, "")
		default:
			d.reply = replyTo(msg, dns.RcodeSuccess, says)
		}
		if d.down {
			d.reply = nil
		}
		do = append(do, d)
	}
	f, took, asked := w.set.hold(w.t, msg, do)
	var who []int
	for i, a := range asked {
		if a {
			who = append(who, i)
		}
	}
	time.Sleep(5 * time.Second) // all late replies have come
	return f, took, who
}

// always says the same to all names.
func always(s string) func(string, uint16) string { return func(string, uint16) string { return s } }

func knowing(names map[string]string) func(string, uint16) string {
	return func(name string, qtype uint16) string {
		address, ok := names[name]
		switch {
		case !ok:
			return "NXDOMAIN"
		case qtype != dns.TypeA:
			return "NODATA"
		}
		return address
	}
}

// R16: a company's names are shown to others when the zone is new, when the knower fails
// and once in 50.
func TestR16WhoSees(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		company := &simple{delay: 10 * ms, says: always("10.0.0.1")}
		w := newSmall(t, []*simple{{delay: ms, says: always("NXDOMAIN")}, company, {delay: 2 * ms, says: always("NXDOMAIN")}}, func(c *Config) { c.Learn = time.Hour })
		foreign := 0
		for i := range 500 {
			f, _, asked := w.ask(fmt.Sprintf("host%d.corp.example.", i), dns.TypeA)
			if f.Verdict != race.Good {
				t.Fatalf("question %d: %v", i, f.Verdict)
			}
			if len(asked) > 1 {
				foreign++
			} else if asked[0] != 1 || f.Unasked != 2 || !f.Plan.Alone {
				t.Errorf("question %d: %v was asked alone, plan %+v", i, asked, f.Plan)
			}
		}
		if foreign != 10 {
			t.Errorf("%d of 500 names were shown to others", foreign)
		}
		company.down = true // a name of a company that is away is asked of all
		if f, _, asked := w.ask("host.corp.example.", dns.TypeA); len(asked) != 3 || f.Verdict != race.NXDomainSOA || f.Conclusive() {
			t.Errorf("asked %v: %v", asked, f.Verdict)
		}
	})
}

// R16: NODATA of the knower is final when all others have denied the name.
func TestR16NoData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		company := &simple{delay: 10 * ms, says: knowing(map[string]string{"a.x.": "10.0.0.1"})}
		w := newSmall(t, []*simple{{delay: ms, says: always("NXDOMAIN")}, company})
		w.ask("a.x.", dns.TypeA)
		var counts []int
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeAAAA} {
			f, _, asked := w.ask("a.x.", qtype)
			counts = append(counts, len(asked))
			if qtype == dns.TypeAAAA && (f.Verdict != race.NoDataSOA || !f.Conclusive()) {
				t.Errorf("%v, %v", f.Verdict, f.Errs)
			}
		}
		// The denial has a TTL of 0, so it counts for 5 s, in which ask waits.
		if !slices.Equal(counts, []int{1, 2, 2}) {
			t.Errorf("asked %v", counts)
		}
		msg := pack(t, "a.x.", dns.TypeAAAA)
		do := []doing{{after: ms, reply: replyTo(msg, dns.RcodeNameError, "")}, {after: ms, reply: replyTo(msg, dns.RcodeSuccess, "")}}
		w.set.hold(t, msg, do)
		f, _, asked := w.set.hold(t, msg, do)
		if asked[0] || f.Verdict != race.NoDataSOA || !f.Conclusive() {
			t.Errorf("asked %v, %v", asked, f.Verdict)
		}
		w.set.zones.Returned(time.Now().Add(time.Nanosecond))
		if f, _, asked := w.set.hold(t, msg, do); !asked[0] || f.Verdict != race.NoDataSOA {
			t.Errorf("somebody is back: asked %v, %v", asked, f.Verdict)
		}
		time.Sleep(timeoutOf(w.set))
	})
}

func timeoutOf(s *set) time.Duration { return s.cfg.Rules.Timeout }

// A zone that moves costs one question some time, and no answer; two that alternate are
// both asked.
func TestR16Moves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &simple{delay: 10 * ms, says: always("10.0.0.1")}, &simple{delay: 20 * ms, says: always("NXDOMAIN")}
		w := newSmall(t, []*simple{a, b, {delay: ms, says: always("NXDOMAIN")}})
		for range 10 {
			w.ask("host.x.", dns.TypeA)
		}
		a.says, b.says = b.says, a.says
		for i, want := range []struct {
			took  time.Duration
			asked int
		}{{30 * ms, 3}, {20 * ms, 1}, {20 * ms, 1}} {
			if f, took, asked := w.ask("host.x.", dns.TypeA); f.Verdict != race.Good || took != want.took || len(asked) != want.asked {
				t.Errorf("question %d after the move: %v after %v, asked %v", i, f.Verdict, took, asked)
			}
		}
		alone := 0
		for i := range 40 { // each knows every other name
			a.says, b.says = b.says, a.says
			f, _, asked := w.ask("host.x.", dns.TypeA)
			if f.Verdict != race.Good {
				t.Errorf("%v", f.Verdict)
			}
			if i > 5 && len(asked) == 1 {
				alone++
			}
		}
		if alone > 0 {
			t.Errorf("%d times one of two that alternate was asked alone", alone)
		}
	})
}

// A captive portal answers everything. It takes no zone over that somebody is known for,
// and when it is over the names are there again, with the first question.
func TestR16Portal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		portal, company := &simple{delay: ms, says: always("NXDOMAIN")}, &simple{delay: 10 * ms, says: always("10.0.0.1")}
		other := &simple{delay: 5 * ms, says: always("NXDOMAIN")}
		w := newSmall(t, []*simple{portal, company, other})
		w.ask("host.corp.", dns.TypeA)
		portal.says = always("192.0.2.80")
		wrong := 0
		for range 100 {
			if f, _, _ := w.ask("host.corp.", dns.TypeA); f.Leg != 1 {
				wrong++
			}
		}
		if wrong > 2 {
			t.Errorf("%d of 100 answers in a zone that was known are the portal's", wrong)
		}
		for range 10 {
			w.ask("host.new.corp2.", dns.TypeA)
		}
		portal.says = always("NXDOMAIN")
		for _, name := range []string{"host.corp.", "host.new.corp2."} {
			if f, took, _ := w.ask(name, dns.TypeA); f.Leg != 1 || took > 11*ms {
				t.Errorf("%s: the answer is of %d, after %v", name, f.Leg, took)
			}
		}
	})
}

// R16: zones that all know go to the fastest, or to the preferred.
func TestR16Everybody(t *testing.T) {
	for _, tc := range []struct {
		what   string
		change func(*Config)
		first  int // who is asked
	}{
		{"the fastest", func(*Config) {}, 1},
		{"the first listed", func(c *Config) { c.Prefer = option.Order }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newSmall(t, []*simple{{delay: 50 * ms, says: always("192.0.2.1")}, {delay: 10 * ms, says: always("192.0.2.1")}, {delay: 40 * ms, says: always("192.0.2.1")}}, tc.change)
			seen := make(map[int]int)
			for i := range 60 {
				name := fmt.Sprintf("www.site%d.example.", i)
				w.ask(name, dns.TypeA)
				if f, _, _ := w.ask(name, dns.TypeA); f.Plan.Alone {
					seen[f.Plan.First]++
				}
			}
			if seen[tc.first] != 60 {
				t.Errorf("%s: asked first were %v", tc.what, seen)
			}
		})
	}
}

// R17: of answers that differ the preferred are given, by what is known of the zone.
func TestR17Split(t *testing.T) {
	order := func(c *Config) { c.Prefer = option.Order }
	private := func(c *Config) { c.Prefer = option.Private }
	off := func(c *Config) { c.Learn = 0 }
	home := func() *simple {
		return &simple{delay: 2 * ms, says: func(_ string, qtype uint16) string {
			return map[uint16]string{dns.TypeA: "192.0.2.1", dns.TypeAAAA: "2001:db8::1"}[qtype]
		}}
	}
	company := func() *simple {
		return &simple{delay: 15 * ms, says: func(_ string, qtype uint16) string {
			return map[uint16]string{dns.TypeA: "10.0.0.1", dns.TypeAAAA: "NODATA"}[qtype]
		}}
	}
	for _, learns := range []bool{true, false} {
		for what, change := range map[string]func(*Config){"order": order, "private": private} {
			synctest.Test(t, func(t *testing.T) {
				all, best := []*simple{company(), home()}, 0
				if what == "private" {
					all, best = []*simple{home(), company()}, 1
				}
				changes := []func(*Config){change}
				if !learns {
					changes = append(changes, off)
				}
				w := newSmall(t, all, changes...)
				var differ []string
				w.set.cfg.Differ = func(zone string, a, b *Member) { differ = append(differ, zone) }
				for i := range 100 {
					name := fmt.Sprintf("www%d.split.example.", i%7)
					if f, took, _ := w.ask(name, dns.TypeA); f.Leg != best || took > 20*ms {
						t.Errorf("%s, learns %v, question %d: %d is given, after %v", what, learns, i, f.Leg, took)
					}
					if f, took, _ := w.ask(name, dns.TypeAAAA); f.Leg != best || f.Verdict != race.NoDataSOA || took > 20*ms || f.Inconclusive() {
						t.Errorf("%s, learns %v, question %d, AAAA: %v of %d is given, after %v", what, learns, i, f.Verdict, f.Leg, took)
					}
				}
				if !slices.Equal(differ, []string{"split.example."}) {
					t.Errorf("%s, learns %v: told that answers differ in %v", what, learns, differ)
				}
			})
		}
	}
}

// R17: where nothing differs nobody waits, once that is known; who usually takes too long is
// not waited for; and other types of a name come from whom the client has it.
func TestR17Waits(t *testing.T) {
	prefer := func(c *Config) {
		c.Learn, c.Prefer = 0, option.Order
	}
	synctest.Test(t, func(t *testing.T) {
		w := newSmall(t, []*simple{{delay: 15 * ms, says: always("192.0.2.1")}, {delay: 2 * ms, says: always("192.0.2.1")}}, prefer)
		for i, want := range []time.Duration{15 * ms, 2 * ms, 2 * ms} {
			if _, took, _ := w.ask(fmt.Sprintf("www%d.same.example.", i), dns.TypeA); took != want {
				t.Errorf("question %d took %v, want %v", i, took, want)
			}
		}
		w = newSmall(t, []*simple{{delay: 15 * ms, says: always("NXDOMAIN")}, {delay: 2 * ms, says: always("192.0.2.1")}}, prefer)
		for i, want := range []time.Duration{15 * ms, 2 * ms, 2 * ms} {
			if f, took, _ := w.ask(fmt.Sprintf("www%d.same.example.", i), dns.TypeA); took != want || f.Leg != 1 {
				t.Errorf("denied by the better one, question %d took %v, want %v", i, took, want)
			}
		}
		better := &simple{delay: 250 * ms, says: always("10.0.0.1")}
		w = newSmall(t, []*simple{better, {delay: 2 * ms, says: always("192.0.2.1")}}, prefer)
		for i, want := range []time.Duration{200 * ms, 22 * ms, 22 * ms} { // nothing is known of it at first
			if f, took, _ := w.ask(fmt.Sprintf("www%d.split.example.", i), dns.TypeA); took != want || f.Leg != 1 {
				t.Errorf("too slow, question %d took %v, want %v", i, took, want)
			}
		}
		better.delay = 10 * ms // now it is in time; but the client has the other's view of one name
		msgA, msgMX := pack(t, "www2.split.example.", dns.TypeAAAA), pack(t, "www9.split.example.", dns.TypeAAAA)
		for msg, leg := range map[string]int{string(msgA): 1, string(msgMX): 0} {
			do := []doing{{after: 10 * ms, reply: replyTo([]byte(msg), dns.RcodeSuccess, "fd00::1")}, {after: 2 * ms, reply: replyTo([]byte(msg), dns.RcodeSuccess, "2001:db8::1")}}
			if f, _, _ := w.set.hold(t, []byte(msg), do); f.Leg != leg {
				t.Errorf("%d is given, want %d", f.Leg, leg)
			}
		}
		time.Sleep(time.Second)
	})
}

// R17: a VPN that is slower than the others is waited for as long as it usually takes, also for
// types that it does not have, and in zones where nothing is known yet; not where it has nothing
// better, refuses or is silent.
func TestR17Slower(t *testing.T) {
	for _, learns := range []time.Duration{0, 10 * time.Minute} {
		for _, jitter := range []time.Duration{0, 20 * ms} {
			synctest.Test(t, func(t *testing.T) {
				public := &simple{delay: 8 * ms, says: func(_ string, qtype uint16) string {
					return map[uint16]string{dns.TypeA: "192.0.2.1", dns.TypeAAAA: "2001:db8::1"}[qtype]
				}}
				vpn := &simple{delay: 60 * ms, says: func(name string, qtype uint16) string {
					switch {
					case strings.HasSuffix(name, "refused."):
						return "REFUSED"
					case strings.HasSuffix(name, "silent."):
						return ""
					case !strings.HasSuffix(name, "corp.example."):
						return "NXDOMAIN"
					case qtype == dns.TypeA:
						return "10.1.0.10"
					}
					return "NODATA"
				}}
				w := newSmall(t, []*simple{public, vpn}, func(c *Config) { c.Learn, c.Prefer = learns, option.Private })
				for i := range 12 {
					vpn.delay = 60*ms + time.Duration(i%3)*jitter
					for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeA} {
						name := fmt.Sprintf("www%d.corp.example.", i)
						if f, took, _ := w.ask(name, qtype); f.Leg != 1 || took < vpn.delay || took > vpn.delay+public.delay { // after NODATA of who is asked alone the other is asked
							t.Errorf("learns %v, %s %s: %d is given, %v, after %v", learns, name, dns.Type(qtype), f.Leg, f.Verdict, took)
						}
					}
				}
				for _, zone := range []string{"elsewhere.", "refused."} {
					for i := range 5 {
						want := 8 * ms
						if i == 0 { // nobody knows yet
							want = vpn.delay
						}
						if f, took, _ := w.ask(fmt.Sprintf("www%d.%s", i, zone), dns.TypeA); f.Leg != 0 || took != want {
							t.Errorf("learns %v, %s, question %d: %d is given after %v, want %v", learns, zone, i, f.Leg, took, want)
						}
					}
				}
				if f, took, _ := w.ask("www.silent.", dns.TypeA); f.Leg != 0 || took > maxBetter {
					t.Errorf("learns %v, silent: %d is given after %v", learns, f.Leg, took)
				}
			})
		}
	}
}

// R18: no denial in a zone whose only knower is away.
func TestR18Away(t *testing.T) {
	on := func(c *Config) { c.Learn, c.Away = 0, true }
	gone := errors.New("network is unreachable")
	for _, tc := range []struct {
		what   string
		change func(*Config)
		before func(w *small, company *simple)
		want   bool
	}{
		{"it is down", on, func(_ *small, c *simple) { c.down = true }, true},
		{"it cannot be reached", on, func(_ *small, c *simple) { c.fails = gone }, true},
		{"it is silent to the end", on, func(_ *small, c *simple) { c.says = always("") }, true},
		{"with learn too", func(c *Config) { c.Away = true }, func(_ *small, c *simple) { c.down = true }, true},
		{"not if it is not wanted", func(*Config) {}, func(_ *small, c *simple) { c.down = true }, false},
		{"not if it denies the name itself", on, func(_ *small, c *simple) { c.says = always("NXDOMAIN") }, false},
		{"not if it fails on the name", on, func(_ *small, c *simple) { c.says = always("SERVFAIL") }, false},
		{"not if another knows the zone", on, func(w *small, c *simple) {
			w.all[0].says = always("192.0.2.1")
			w.ask("other.corp.", dns.TypeA)
			w.all[0].says, c.down = always("NXDOMAIN"), true
		}, false},
		{"others' NODATA is no better", on, func(w *small, c *simple) { w.all[0].says, c.down = always("NODATA"), true }, true},
		{"for an hour", on, func(w *small, c *simple) { c.down = true; time.Sleep(59 * time.Minute) }, true},
		{"and not longer", on, func(w *small, c *simple) { c.down = true; time.Sleep(61 * time.Minute) }, false},
		{"not if a zone above knows nothing of it", on, func(w *small, c *simple) {
			w.all[0].says = always("192.0.2.1")
			w.ask("host.sub.corp.", dns.TypeA)
			w.all[0].says, c.down = always("NXDOMAIN"), true
		}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			company := &simple{delay: 10 * ms, says: always("10.0.0.1")}
			w := newSmall(t, []*simple{{delay: ms, says: always("NXDOMAIN")}, company}, tc.change)
			w.ask("host.corp.", dns.TypeA)
			tc.before(w, company)
			f, _, _ := w.ask("more.corp.", dns.TypeA)
			if f.Away != tc.want || f.Away && (f.Verdict != race.ServFail || f.Leg != -1 || f.Errs[1] == nil || f.Errs[0] != nil) {
				t.Errorf("%s: away %v, %v, %v", tc.what, f.Away, f.Verdict, f.Errs)
			}
			if f, _, _ := w.ask("host.elsewhere.", dns.TypeA); f.Away {
				t.Errorf("%s: a zone that nobody knew", tc.what)
			}
			company.down, company.fails, company.says = false, nil, always("NXDOMAIN")
			if f, _, _ := w.ask("more.corp.", dns.TypeA); f.Away || !f.Verdict.Negative() {
				t.Errorf("%s: back, and denies the name: %v", tc.what, f.Verdict)
			}
		})
	}
}

// R16: a zone that moves to another upstream is relearned from what its former knower denies of
// what it had, also if all is renumbered.
func TestR16Renumbered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &simple{delay: 10 * ms, says: always("10.0.0.1")}, &simple{delay: 20 * ms, says: always("NXDOMAIN")}
		w := newSmall(t, []*simple{a, b, {delay: ms, says: always("NXDOMAIN")}})
		for i := range 20 {
			w.ask(fmt.Sprintf("host%d.x.", i%10), dns.TypeA)
		}
		a.says, b.says = always("NXDOMAIN"), always("10.7.7.7")
		everybody := 0
		for i := range 20 {
			f, _, asked := w.ask(fmt.Sprintf("host%d.x.", i), dns.TypeA)
			if f.Leg != 1 {
				t.Errorf("question %d: %v of %d", i, f.Verdict, f.Leg)
			}
			if slices.Contains(asked, 2) { // a name that a had is still asked of it
				everybody++
			}
		}
		if everybody > 4 { // one is a survey
			t.Errorf("%d of 20 questions were asked of others", everybody)
		}
	})
}
