package pool

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// asked notes which resolvers were asked for which names.
type asked struct {
	mu    sync.Mutex
	names map[string][]int
}

// resolver answers all names in zones with its number, and denies others.
func (a *asked) resolver(t *testing.T, n int, domains, zones []string) server.Server {
	s := server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name := q.Question[0].Name
		a.mu.Lock()
		if a.names == nil {
			a.names = make(map[string][]int)
		}
		a.names[name] = append(a.names[name], n)
		a.mu.Unlock()
		m := new(dns.Msg).SetReply(q)
		m.Rcode = dns.RcodeNameError
		for _, zone := range zones {
			if dns.IsSubDomain(zone, name) {
				rr, _ := dns.NewRR(name + " 60 IN A 192.0.2.1")
				m.Rcode, m.Answer = dns.RcodeSuccess, []dns.RR{rr}
			}
		}
		w.WriteMsg(m)
	}))
	s.Domains = domains
	return s
}

// of returns who was asked for a name, in order, each once.
func (a *asked) of(name string) []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Sorted(maps.Keys(maps.Collect(func(yield func(int, bool) bool) {
		for _, n := range a.names[name] {
			if !yield(n, true) {
				return
			}
		}
	})))
}

// R21: names in a link's domains are asked for over that link alone, all others everywhere.
func TestR21Private(t *testing.T) {
	var seen asked
	all := []server.Server{
		seen.resolver(t, 0, []string{"corp.example."}, []string{"corp.example."}),
		seen.resolver(t, 1, []string{"corp.example.", "sub.corp.example."}, nil),
		seen.resolver(t, 2, nil, []string{"corp.example.", "public.example."}),
	}
	v := option.Default()
	v.Rules.Timeout, v.Patience, v.PrivateLinks, v.Learn = testkit.Patience, testkit.Patience, true, time.Minute
	p := New(Config{Values: v})
	p.Replace(all)
	defer p.Close()
	expect := func(name string, verdict race.Verdict, want ...int) {
		t.Helper()
		out, _ := p.Ask(ask(t, name), nil)
		if out.Verdict != verdict {
			t.Errorf("%s: %v, want %v", name, out.Verdict, verdict)
		}
		for len(out.Members) < 3 && len(seen.of(name)) < len(want) && !t.Failed() { // who lost may not have been asked yet
			time.Sleep(time.Millisecond)
		}
		for _, n := range seen.of(name) {
			if !slices.Contains(want, n) {
				t.Errorf("%s: %v were asked, want %v", name, seen.of(name), want)
			}
		}
	}
	for range 3 { // the second is from what was learned
		expect("www.corp.example.", race.Good, 0, 1)
		expect("www.sub.corp.example.", race.NXDomain, 1)
		expect("www.public.example.", race.Good, 0, 1, 2)
		expect("none.example.", race.NXDomain, 0, 1, 2)
	}
	all[0].Domains, all[1].Domains = nil, []string{"public.example."}
	if came, went := p.Replace(all); len(came)+len(went) > 0 {
		t.Errorf("%v came and %v went", came, went)
	}
	expect("new.public.example.", race.NXDomain, 1)
	expect("new.sub.corp.example.", race.Good, 0, 1, 2)
	all[1].Domains = []string{"."}
	p.Replace(all)
	expect("all.public.example.", race.NXDomain, 1)
}

// R16: a link's domains, which others choose, are no knowledge: while nothing is known of a
// zone, all are asked.
func TestR16NoGuess(t *testing.T) {
	var seen asked
	all := []server.Server{
		seen.resolver(t, 0, []string{"corp.example.", "."}, []string{"corp.example."}),
		seen.resolver(t, 1, []string{"example.", "moved.example."}, nil),
		seen.resolver(t, 2, nil, []string{"moved.example."}),
	}
	v := option.Default()
	v.Rules.Timeout, v.Patience, v.Learn = testkit.Patience, testkit.Patience, time.Minute
	p := New(Config{Values: v, Hedge: testkit.Patience})
	p.Replace(all)
	defer p.Close()
	for _, name := range []string{"www.corp.example.", "www.moved.example.", "www.example."} {
		out, _ := p.Ask(ask(t, name), nil)
		if out.Plan.Alone || out.Unasked != 0 {
			t.Errorf("%s: %v, %+v", name, out.Verdict, out.Plan)
		}
	}
}
