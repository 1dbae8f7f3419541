package race

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	ms      = time.Millisecond
	timeout = 4 * time.Second
)

// event is what an upstream does, some time after it was asked.
type event struct {
	after time.Duration
	what  any // []byte: a reply; error: a failure; nil: it is down
}

// script is an upstream without sockets.
type script struct {
	events  []event
	retries []time.Duration // when Retry wants to be called
	called  []time.Duration // when it was, of these
	times   []time.Duration // when it was at all
	asked   instant.Time
	leg     *Leg
	leave   bool // Release was called
}

func (s *script) ask(leg *Leg) (Exchange, instant.Time) {
	s.asked, s.leg = instant.Now(), leg
	for _, e := range s.events {
		do := func() {
			switch what := e.what.(type) {
			case []byte:
				leg.Reply(what, instant.Now(), false)
			case error:
				leg.Fail(what)
			case nil:
				leg.Health(true, 1)
			}
		}
		if e.after == 0 {
			do()
		} else {
			time.AfterFunc(e.after, do)
		}
	}
	return s, s.Retry(s.asked)
}

func (s *script) Release() { s.leave = true }

func (s *script) Retry(now instant.Time) instant.Time {
	if s.asked.IsZero() {
		s.asked = now
	}
	at := now.Sub(s.asked)
	s.times = append(s.times, at)
	for len(s.retries) > 0 && s.retries[0] <= at {
		s.called = append(s.called, at)
		s.retries = s.retries[1:]
	}
	if len(s.retries) == 0 {
		return instant.Never
	}
	return s.asked.Add(s.retries[0])
}

func reply(rcode int, soa bool, answers ...dns.RR) []byte {
	m := new(dns.Msg)
	m.SetQuestion("host.example.", dns.TypeA)
	m.Response, m.RecursionAvailable, m.Rcode, m.Answer = true, true, rcode, answers
	if soa {
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: ".", Mbox: "."}}
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// withType is the reply to a question for another type.
func withType(qtype uint16, reply []byte) []byte {
	question := wire.Question(reply)
	binary.BigEndian.PutUint16(question[len(question)-4:], qtype)
	return reply
}

// referralTo is the reply of a server that knows others which may know the name, or
// does not even do that.
func referralTo(ns ...string) []byte {
	m := new(dns.Msg)
	m.SetQuestion("host.example.", dns.TypeA)
	m.Response = true
	for _, rr := range ns {
		m.Ns = append(m.Ns, answer(rr))
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func answer(rr string) dns.RR {
	r, err := dns.NewRR(rr)
	if err != nil {
		panic(err)
	}
	return r
}

var (
	goodReply  = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 192.0.2.1"))
	otherGood  = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 192.0.2.2"))
	wholeAlias = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN CNAME real.example."), answer("real.example. 60 IN A 192.0.2.1"))
	nxdomain   = reply(dns.RcodeNameError, true)
	truncated  = func() []byte { b := reply(dns.RcodeSuccess, false); wire.Header(b).SetTruncated(true); return b }()
	chain      = reply(dns.RcodeNameError, true, answer("host.example. 60 IN CNAME gone.example."))
	nodata     = reply(dns.RcodeSuccess, true)
	bareNodata = reply(dns.RcodeSuccess, false)
	referral   = referralTo("example. 60 IN NS ns.example.")
	servfail   = reply(dns.RcodeServerFailure, false)
	refused    = reply(dns.RcodeRefused, false)
	errBroken  = errors.New("broken")
)

// askFunc is an Asker.
type askFunc func(i int, leg *Leg) (Exchange, instant.Time)

func (f askFunc) AskLeg(i int, leg *Leg) (Exchange, instant.Time) { return f(i, leg) }
func (f askFunc) Asked()                                          {}
func (f askFunc) More() int                                       { return 0 }
func (f askFunc) Follow(int, *Leg, []byte) bool                   { return false }

// finder is an Asker that finds the ends of aliases.
type finder struct {
	askFunc
	end func(i int, leg *Leg, reply []byte) bool
}

func (f finder) Follow(i int, leg *Leg, reply []byte) bool { return f.end(i, leg, reply) }

// begin begins a race that is watched, with a timer of its own.
func begin(setup Setup, n int, ask askFunc) *Race {
	setup.Timeout, setup.Watched = timeout, true
	r := new(Race)
	*r.Setup() = setup
	r.Begin(nil, n, ask)
	return r
}

// says is an upstream that replies once.
func says(after time.Duration, msg []byte) []event { return []event{{after, msg}} }

// hold runs a race over upstreams that do as told, and returns how and when it
// ended.
func hold(ctx context.Context, unreadable []byte, upstreams ...[]event) (Result, time.Duration, []*script) {
	scripts := make([]*script, len(upstreams))
	for i := range upstreams {
		scripts[i] = &script{events: upstreams[i]}
	}
	start := time.Now()
	r := begin(Setup{}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
	defer r.End()
	res := r.Wait(ctx)
	for res.Leg >= 0 && unreadable != nil && string(res.Msg) == string(unreadable) {
		r.Discard(res.Leg)
		res = r.Wait(ctx)
	}
	return res, time.Since(start), scripts
}

func TestR1AllAreAskedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := instant.Now()
		// Not even a good reply that is there at once keeps the others from being asked.
		_, _, scripts := hold(t.Context(), nil, says(0, goodReply), says(ms, nxdomain), nil)
		for i, s := range scripts {
			if s.asked != start {
				t.Errorf("upstream %d was asked after %v", i, s.asked.Sub(start))
			}
		}
		time.Sleep(timeout)
	})
}

func TestRaces(t *testing.T) {
	for _, tc := range []struct {
		what       string
		upstreams  [][]event
		leg        int
		verdict    Verdict
		after      time.Duration
		conclusive bool
	}{
		{"R2: the first good reply wins at once",
			[][]event{says(30*ms, goodReply), says(20*ms, otherGood), nil}, 1, Good, 20 * ms, true},
		{"R2: whatever was said before",
			[][]event{says(0, nxdomain), says(ms, nodata), says(2*ms, servfail), says(3*time.Second, goodReply)}, 3, Good, 3 * time.Second, true},
		{"R3: NODATA before NXDOMAIN",
			[][]event{says(0, nodata), says(10*ms, nxdomain)}, 0, NoDataSOA, 10 * ms, true},
		{"R3: NODATA after NXDOMAIN",
			[][]event{says(0, nxdomain), says(10*ms, nodata)}, 1, NoDataSOA, 10 * ms, true},
		{"R3: bare NODATA after NXDOMAIN with SOA",
			[][]event{says(0, nxdomain), says(10*ms, bareNodata)}, 1, NoData, 10 * ms, true},
		{"R3: an answer that cannot be had whole, before a denial",
			[][]event{says(0, truncated), says(10*ms, nodata)}, 0, Truncated, 10 * ms, false},
		{"R3: and after one",
			[][]event{says(0, nodata), says(10*ms, truncated)}, 1, Truncated, 10 * ms, false},
		{"R2: and before a good one",
			[][]event{says(0, truncated), says(10*ms, goodReply)}, 1, Good, 10 * ms, true},
		{"R4: it waits for those who are up",
			[][]event{says(0, truncated), nil}, 0, Truncated, timeout, false},
		{"R3: a chain to nowhere after NXDOMAIN",
			[][]event{says(0, nxdomain), says(10*ms, chain)}, 1, NXDomainChain, 10 * ms, true},
		{"R3: a chain to nowhere before NXDOMAIN",
			[][]event{says(0, chain), says(10*ms, nxdomain)}, 0, NXDomainChain, 10 * ms, true},
		{"R3: bare NODATA after a chain to nowhere",
			[][]event{says(0, chain), says(10*ms, bareNodata)}, 1, NoData, 10 * ms, true},
		{"R3: NXDOMAIN after a referral, which is no opinion",
			[][]event{says(0, referral), says(10*ms, nxdomain)}, 1, NXDomainSOA, 10 * ms, false},
		{"R3: NXDOMAIN before a bare referral",
			[][]event{says(0, nxdomain), says(10*ms, referralTo())}, 0, NXDomainSOA, 10 * ms, false},
		{"R3: a referral before SERVFAIL",
			[][]event{says(0, referral), says(10*ms, servfail)}, 0, Referral, 10 * ms, false},
		{"R3: SERVFAIL, then NXDOMAIN",
			[][]event{says(0, servfail), says(10*ms, nxdomain)}, 1, NXDomainSOA, 10 * ms, false},
		{"R3: REFUSED, then SERVFAIL",
			[][]event{says(0, refused), says(10*ms, servfail)}, 1, ServFail, 10 * ms, false},
		{"R7: REFUSED is no opinion",
			[][]event{says(0, refused), says(10*ms, nxdomain)}, 1, NXDomainSOA, 10 * ms, false},
		{"R7: nor is it beside NODATA",
			[][]event{says(0, nodata), says(10*ms, refused)}, 0, NoDataSOA, 10 * ms, false},
		{"R3: equals rank by the order of upstreams, not of replies",
			[][]event{says(20*ms, nxdomain), says(10*ms, nxdomain), says(0, nxdomain)}, 0, NXDomainSOA, 20 * ms, true},
		{"R4: over when all have replied or failed",
			[][]event{says(5*ms, nxdomain), {{10 * ms, errBroken}}}, 0, NXDomainSOA, 10 * ms, false},
		{"R4: one that is up is waited for until the timeout",
			[][]event{says(5*ms, nxdomain), nil}, 0, NXDomainSOA, timeout, false},
		{"R4: all silent",
			[][]event{nil, nil}, -1, None, timeout, false},
		{"R4: all fail at once",
			[][]event{{{0, errBroken}}, {{0, errBroken}}}, -1, None, 0, false},
		{"R5: one that is down is not waited for",
			[][]event{says(5*ms, nxdomain), {{0, nil}}}, 0, NXDomainSOA, 5 * ms, false},
		{"R5: a race that waits only for it ends when it goes down",
			[][]event{says(5*ms, nxdomain), {{2 * time.Second, nil}}}, 0, NXDomainSOA, 2 * time.Second, false},
		{"R5: a good reply of one that is down wins",
			[][]event{says(5*ms, nxdomain), {{0, nil}, {3 * ms, goodReply}}}, 1, Good, 3 * ms, true},
		{"R5: a reply of one that is down is judged with the others",
			[][]event{says(5*ms, nxdomain), {{0, nil}, {3 * ms, nodata}}}, 1, NoDataSOA, 5 * ms, true},
		{"R5: with all down, the first that comes back is waited for",
			[][]event{{{0, nil}}, {{0, nil}, {3 * time.Second, goodReply}}}, 1, Good, 3 * time.Second, true},
		{"R5: with all down or failed",
			[][]event{{{0, errBroken}}, {{0, nil}, {time.Second, nxdomain}}}, 1, NXDomainSOA, time.Second, false},
		{"R5: with all down for good",
			[][]event{{{2 * time.Second, nil}}, {{0, nil}}}, -1, None, timeout, false},
		{"one upstream", [][]event{says(ms, nxdomain)}, 0, NXDomainSOA, ms, true},
		{"no upstream", nil, -1, None, 0, true},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res, after, _ := hold(t.Context(), nil, tc.upstreams...)
				if res.Leg != tc.leg || res.Verdict != tc.verdict || after != tc.after || res.Conclusive() != tc.conclusive {
					t.Errorf("leg %d, %v, after %v, conclusive %v; want leg %d, %v, after %v, conclusive %v",
						res.Leg, res.Verdict, after, res.Conclusive(), tc.leg, tc.verdict, tc.after, tc.conclusive)
				}
				time.Sleep(timeout) // whatever comes later is of no use, and no harm
			})
		})
	}
}

func TestErrs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		res, _, _ := hold(t.Context(), goodReply, nil, []event{{0, nil}}, []event{{0, errBroken}}, says(0, goodReply))
		want := []error{ErrSilent, ErrDown, errBroken, ErrUnreadable}
		if fmt.Sprint(res.Errs) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", res.Errs, want)
		}
		res, _, _ = hold(t.Context(), nil, says(0, servfail), says(0, refused), []event{{0, errBroken}}, says(0, nxdomain), says(0, referral), says(0, truncated))
		want = []error{ErrServFail, ErrRefused, errBroken, nil, ErrReferral, ErrTruncated}
		if fmt.Sprint(res.Errs) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", res.Errs, want)
		}
		why := func(rcode int) []byte {
			m := new(dns.Msg)
			m.SetQuestion("host.example.", dns.TypeA)
			m.Response, m.Rcode = true, rcode
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeProhibited, ExtraText: "because"}}
			b, err := m.Pack()
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		res, _, _ = hold(t.Context(), nil, says(0, why(dns.RcodeRefused)), says(0, why(dns.RcodeServerFailure)), says(0, nxdomain))
		for i, is := range []error{ErrRefused, ErrServFail} {
			if got := res.Errs[i]; !errors.Is(got, is) || got.Error() != is.Error()+": because" {
				t.Errorf("upstream %d: %v, want %v with its own words", i, got, is)
			}
		}
	})
}

// A reply that looks good but cannot be read wins nothing.
func TestUnreadableReply(t *testing.T) {
	for _, tc := range []struct {
		what      string
		upstreams [][]event
		leg       int
		after     time.Duration
	}{
		{"a good one comes later", [][]event{says(0, goodReply), says(50*ms, otherGood)}, 1, 50 * ms},
		{"a good one is there", [][]event{says(0, goodReply), says(0, otherGood)}, 1, 0},
		{"the best of the rest", [][]event{says(0, goodReply), says(50*ms, nxdomain), says(0, servfail)}, 1, 50 * ms},
		{"nothing else", [][]event{says(0, goodReply)}, -1, 0},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				res, after, _ := hold(t.Context(), goodReply, tc.upstreams...)
				if res.Leg != tc.leg || after != tc.after {
					t.Errorf("leg %d after %v, want leg %d after %v", res.Leg, after, tc.leg, tc.after)
				}
			})
		})
	}
}

// What legs have brought is told with what it is worth; what could not be read is
// nothing.
func TestReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := []*script{{events: says(0, goodReply)}, {events: says(0, nxdomain)}, {events: []event{{0, errBroken}}}, {}}
		r := begin(Setup{}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		defer r.End()
		r.Wait(t.Context())
		want := func(leg int, verdict Verdict, msg []byte) {
			t.Helper()
			if v, b := r.Reply(leg); v != verdict || string(b) != string(msg) {
				t.Errorf("leg %d: %v, % x", leg, v, b)
			}
		}
		want(0, Good, goodReply)
		want(1, NXDomainSOA, nxdomain)
		want(2, None, nil)
		want(3, None, nil)
		r.Discard(0)
		want(0, None, nil)
	})
}

// The client's context ends a race as the timeout does.
func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		res, after, _ := hold(ctx, nil, says(0, nxdomain), nil)
		if res.Leg != 0 || res.Conclusive() || after != time.Second {
			t.Errorf("leg %d, conclusive %v, after %v", res.Leg, res.Conclusive(), after)
		}
	})
}

// Exchanges are driven at the times they ask for, until they end or the race is
// over.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := &script{retries: []time.Duration{100 * ms, 300 * ms, 500 * ms}, events: says(400*ms, nxdomain)}
		two := &script{retries: []time.Duration{150 * ms, 900 * ms}, events: says(600*ms, goodReply)}
		scripts := []*script{one, two}
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		r.Wait(t.Context())
		r.End()
		time.Sleep(timeout)
		if got := fmt.Sprint(one.called, two.called); got != "[100ms 300ms] [150ms]" {
			t.Errorf("called at %s", got)
		}
	})
}

// When nobody waits any more, whoever still owes a reply lets go of the race, unless late
// replies are listened to.
func TestRelease(t *testing.T) {
	for _, listens := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			silent, replies := &script{}, &script{events: says(ms, goodReply)}
			scripts := []*script{silent, replies}
			r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
			if res := r.Wait(t.Context()); res.Verdict != Good {
				t.Fatal(res.Verdict)
			}
			if listens {
				r.ReportTo(new(replySink), false)
			}
			if silent.leave || replies.leave {
				t.Error("a leg is let go of while somebody waits")
			}
			r.End()
			if silent.leave == listens || replies.leave {
				t.Errorf("listening: %v; let go of: %v, of one that has replied: %v", listens, silent.leave, replies.leave)
			}
		})
	}
}

// stopped is an exchange in whose Retry the process is stopped for a while.
type stopped time.Duration

func (d stopped) Retry(instant.Time) instant.Time {
	time.Sleep(time.Duration(d))
	return instant.Never
}

func (stopped) Release() {}

// Time in which the process did not run does not count: a reply that came
// meanwhile is read after a moment.
func TestOverslept(t *testing.T) {
	const pause = 30 * time.Second
	synctest.Test(t, func(t *testing.T) {
		r := begin(Setup{}, 3, func(i int, leg *Leg) (Exchange, instant.Time) {
			switch i {
			case 0:
				leg.Reply(nxdomain, instant.Now(), false)
			case 1:
				time.AfterFunc(time.Second+pause+ms, func() { leg.Reply(goodReply, instant.Now(), false) })
			}
			return stopped(pause), instant.Now().Add(time.Second)
		})
		defer r.End()
		if res := r.Wait(t.Context()); res.Verdict != Good {
			t.Errorf("verdict %v", res.Verdict)
		}
	})
	synctest.Test(t, func(t *testing.T) { // it was stopped before it began to wait
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) {
			if i == 0 {
				leg.Reply(nxdomain, instant.Now(), false)
			} else {
				time.AfterFunc(pause+ms, func() { leg.Reply(goodReply, instant.Now(), false) })
			}
			return stopped(0), instant.Now().Add(time.Second)
		})
		defer r.End()
		time.Sleep(pause)
		if res := r.Wait(t.Context()); res.Verdict != Good {
			t.Errorf("verdict %v", res.Verdict)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := begin(Setup{}, 1, func(int, *Leg) (Exchange, instant.Time) {
			return stopped(pause), instant.Now().Add(time.Second)
		})
		defer r.End()
		if res, took := r.Wait(t.Context()), time.Since(start); res.Leg >= 0 || took != timeout+pause {
			t.Errorf("leg %d after %v", res.Leg, took)
		}
	})
}

// An upstream that is up again is waited for, and its exchange is due at once.
func TestR5Back(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := new(script)
		r := begin(Setup{}, 2, func(i int, leg *Leg) (Exchange, instant.Time) {
			if i == 0 {
				time.AfterFunc(2*time.Second, func() { leg.Reply(nxdomain, instant.Now(), false) })
				return new(script), instant.Never
			}
			leg.Health(true, 1)
			time.AfterFunc(time.Second, func() { leg.Health(false, 2); leg.Again(); leg.Again() })
			time.AfterFunc(3*time.Second, func() { leg.Reply(goodReply, instant.Now(), false) })
			s.retries = []time.Duration{5 * time.Second} // when it would be due if it were not for that
			return s, s.Retry(instant.Now())
		})
		defer r.End()
		res := r.Wait(t.Context())
		if took := time.Since(start); res.Verdict != Good || took != 3*time.Second {
			t.Errorf("%v after %v", res.Verdict, took)
		}
		if got := fmt.Sprint(slices.Compact(s.times)); got != "[0s 1s]" { // twice, if it woke between the calls of Again
			t.Errorf("Retry was called at %s", got)
		}
	})
}

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{events: says(10*ms, goodReply)}
		r := begin(Setup{}, 1, func(_ int, leg *Leg) (Exchange, instant.Time) {
			time.AfterFunc(5*ms, func() {
				if !leg.Waiting() {
					t.Error("is not waiting while the race is on")
				}
			})
			return s.ask(leg)
		})
		r.Wait(t.Context())
		r.End()
		if s.leg.Waiting() {
			t.Error("is waiting after the race")
		}
	})
}
