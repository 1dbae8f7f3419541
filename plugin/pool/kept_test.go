package pool

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/knowledge"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// R24: an answer whose life is over is given if its giver is away, and not if it is there, or
// gone for good.
func TestR24GiversAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		named := func(s string) *Member {
			parsed, err := server.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			return &Member{Server: parsed}
		}
		one, two, gone, left := named("192.0.2.1"), named("192.0.2.2"), named("192.0.2.3"), named("192.0.2.4")
		again := named("192.0.2.2") // it was on the list before
		now := time.Now()
		at := now.Add(-leftFor + 1)
		left.left.Store(&at)
		past := now.Add(-leftFor)
		gone.left.Store(&past)
		failed := errors.New("closed port")
		for _, tc := range []struct {
			what   string
			givers []*Member
			errs   []error // of one and two
			want   bool
		}{
			{"it denies the name", []*Member{two}, []error{nil, nil}, false},
			{"it denies the name, another failed", []*Member{two}, []error{failed, nil}, false},
			{"down", []*Member{two}, []error{nil, race.ErrDown}, true},
			{"silent", []*Member{two}, []error{nil, race.ErrSilent}, true},
			{"failed", []*Member{two}, []error{nil, failed}, true},
			{"SERVFAIL", []*Member{two}, []error{nil, race.ErrServFail}, true},
			{"REFUSED", []*Member{two}, []error{nil, race.ErrRefused}, true},
			{"not asked", []*Member{two}, []error{nil, race.ErrUnasked}, true},
			{"it left just now", []*Member{left}, []error{nil, nil}, true},
			{"it left long ago", []*Member{gone}, []error{nil, nil}, false},
			{"it was never on this list", []*Member{named("192.0.2.9")}, []error{nil, nil}, false},
			{"it is back, and denies the name", []*Member{again}, []error{nil, nil}, false},
			{"it is back, and silent", []*Member{again}, []error{nil, race.ErrSilent}, true},
			{"one of two is away", []*Member{one, two}, []error{race.ErrSilent, race.ErrSilent}, true},
			{"one of two denies the name", []*Member{one, two}, []error{nil, race.ErrSilent}, false},
			{"one of two left long ago", []*Member{gone, two}, []error{nil, race.ErrSilent}, false},
			{"the outcome is final", []*Member{two}, nil, false},
			{"nobody gave it", nil, []error{failed, failed}, false},
		} {
			c := &call{Result: Result{Members: []*Member{one, two}, Result: race.Result{Errs: tc.errs}}}
			if got := c.giversAway(&Kept{Givers: tc.givers}, now); got != tc.want {
				t.Errorf("%s: %v", tc.what, got)
			}
		}
	})
}

// R24: an upstream may know the names in a zone unless it has shown that it does not.
func TestR24MayKnow(t *testing.T) {
	s := learning(3)
	p := &Pool{}
	p.set.Store(s)
	msg := pack(t, "wiki.corp.example.", dns.TypeA)
	question := msg[12:]
	now := time.Now()
	s.zones.Good(question, 0, false, now)
	s.zones.Missed(question, 1, 0, knowledge.Miss{Denied: true}, now)
	for i, want := range []bool{true, false, true} {
		if got := p.mayKnow(s.members[i], question); got != want {
			t.Errorf("upstream %d: %v", i, got)
		}
	}
	if !p.mayKnow(&Member{}, question) {
		t.Error("one that is not on the list")
	}
}

// R24: whoever asks while a race goes on for which the clients got what was kept gets that at
// once; and when it is over, what it brought.
func TestR24GoesOn(t *testing.T) {
	for _, address := range []string{"", "10.1.2.4"} {
		t.Run(fmt.Sprintf("then %q", address), func(t *testing.T) {
			first, slow := resolver(t, "10.1.2.3"), hold(t, address)
			p := keepingPool(t, first)
			name := "wiki.corp.example."
			if res, _ := p.Ask(ask(t, name), nil); res.Verdict != race.Good {
				t.Fatal(res.Verdict)
			}
			p.Replace([]server.Server{slow.Server})
			looked := 0
			res, own := p.Ask(ask(t, name), func(*Race) { looked++ })
			if res.Stale == nil || !own || looked != 1 {
				t.Fatalf("after a while: stale %v, own %v, looked at %d times", res.Stale != nil, own, looked)
			}
			if now, own := p.Ask(ask(t, name), nil); now != res || own {
				t.Errorf("who asks then waits anew: stale %v, own %v", now.Stale != nil, own)
			}
			slow.release()
			waitFor(t, func() bool { p.calls.mu.Lock(); defer p.calls.mu.Unlock(); return len(p.calls.underway) == 0 })
			kept, _, state := p.Kept(pack(t, name, dns.TypeA)[12:], 0, time.Now())
			if address == "" { // which left the list just now
				if state != cache.Held {
					t.Errorf("its giver has just left: %v", state)
				}
				return
			}
			if state != cache.Alive || kept.Givers[0].Server.Addr != slow.Addr {
				t.Errorf("what is kept is %v", state)
			}
		})
	}
}

// keepingPool is a pool that keeps replies.
func keepingPool(t *testing.T, servers ...server.Server) *Pool {
	t.Helper()
	v := option.Default()
	v.Rules.Timeout, v.Patience, v.Cache = testkit.Patience, testkit.Patience, 10_000
	p := New(Config{Values: v})
	p.Replace(servers)
	t.Cleanup(p.Close)
	return p
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	testkit.Eventually(t, func() error {
		if !is() {
			return errors.New("not yet")
		}
		return nil
	})
}
