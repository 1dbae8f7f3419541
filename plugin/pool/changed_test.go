package pool

import (
	"errors"
	"fmt"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// held is a resolver that says when it is asked, and replies when it is told to.
type held struct {
	server.Server
	asked, reply chan bool
}

// hold returns one that answers with an address, or denies if there is none.
func hold(t *testing.T, address string) *held {
	t.Helper()
	h := &held{asked: make(chan bool, 100), reply: make(chan bool)}
	h.Server = server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		h.asked <- true
		<-h.reply
		m := new(dns.Msg).SetReply(q)
		if address == "" {
			m.Rcode = dns.RcodeNameError
		} else if rr, err := dns.NewRR(q.Question[0].Name + " 60 IN A " + address); err == nil {
			m.Answer = []dns.RR{rr}
		}
		w.WriteMsg(m)
	}))
	t.Cleanup(h.release)
	return h
}

// release has it reply to all queries.
func (h *held) release() {
	select {
	case <-h.reply:
	default:
		close(h.reply)
	}
}

// askAll asks from several clients at once, and returns what they get.
func askAll(t *testing.T, p *Pool, clients int) (results chan *Result) {
	t.Helper()
	results = make(chan *Result, clients)
	for range clients {
		q := ask(t, "wiki.corp.example.")
		go func() {
			res, _ := p.Ask(q, nil)
			results <- res
		}()
	}
	return results
}

// waiting returns how many clients wait for the races that are under way.
func (p *Pool) waiting() (n int) {
	p.calls.mu.Lock()
	defer p.calls.mu.Unlock()
	for _, c := range p.calls.underway {
		n += int(c.clients.Load())
	}
	return n
}

// R7: a query that is under way when the upstreams change is not denied by the old ones alone.
func TestR7ChangedMeanwhile(t *testing.T) {
	for _, change := range []struct {
		what  string
		lists func(old, knower server.Server) [][]server.Server
	}{
		{"added", func(old, knower server.Server) [][]server.Server { return [][]server.Server{{old, knower}} }},
		{"added, first", func(old, knower server.Server) [][]server.Server { return [][]server.Server{{knower, old}} }},
		{"replaced", func(_, knower server.Server) [][]server.Server { return [][]server.Server{{knower}} }},
		{"all gone, then others", func(_, knower server.Server) [][]server.Server { return [][]server.Server{{}, {knower}} }},
		{"gone and back", func(old, knower server.Server) [][]server.Server { return [][]server.Server{{}, {old, knower}} }},
		{"three changes", func(old, knower server.Server) [][]server.Server {
			return [][]server.Server{{old, resolver(t, "")}, {resolver(t, "")}, {old, knower, resolver(t, "")}}
		}},
	} {
		for _, clients := range []int{1, 6} {
			for _, learn := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %d clients, learn %v", change.what, clients, learn), func(t *testing.T) {
					v := option.Default()
					v.Rules.Timeout, v.Patience = testkit.Patience, testkit.Patience
					if learn {
						v.Learn = testkit.Patience
					}
					p := New(Config{Values: v})
					t.Cleanup(p.Close)
					old, knower := hold(t, ""), hold(t, "10.1.2.3")
					p.Replace([]server.Server{old.Server})
					results := askAll(t, p, clients)
					<-old.asked
					waitFor(t, func() bool { return p.waiting() == clients })
					for _, list := range change.lists(old.Server, knower.Server) {
						p.Replace(list)
					}
					<-knower.asked // while the old ones have not replied
					old.release()
					knower.release()
					widened := false
					for range clients {
						res := <-results
						widened = widened || len(res.Members) > 1
						if res.Verdict != race.Good {
							t.Errorf("%v, %v", res.Verdict, res.Errs)
						}
					}
					if !widened {
						t.Error("no race asked both")
					}
				})
			}
		}
	}
}

// Whoever asks the same after the change has a race of its own, and both races are told of
// further changes.
func TestChangedTwice(t *testing.T) {
	old, between, knower := hold(t, ""), hold(t, ""), hold(t, "10.1.2.3")
	p := newPool(t, old.Server)
	first := askAll(t, p, 1)
	<-old.asked
	p.Replace([]server.Server{old.Server, between.Server})
	<-between.asked
	second := askAll(t, p, 1)
	<-old.asked
	<-between.asked
	p.Replace([]server.Server{old.Server, between.Server, knower.Server})
	<-knower.asked
	<-knower.asked
	old.release()
	between.release()
	knower.release()
	for _, results := range []chan *Result{first, second} {
		if res := <-results; res.Verdict != race.Good {
			t.Errorf("%v, %v", res.Verdict, res.Errs)
		}
	}
	if n := len(p.calls.underway); n != 0 {
		t.Errorf("%d calls are left", n)
	}
}

// hooked is a query with a hook, called when the race is about to begin.
type hooked struct {
	*query
	plain int
	begin func()
}

func (h *hooked) Plain() *upstream.Query {
	if h.plain++; h.plain == 2 { // first for the key, then for the race
		h.begin()
	}
	return h.query.Plain()
}

// A race that begins with no upstream asks those that come just then.
func TestBegunWithNone(t *testing.T) {
	p := newPool(t)
	knower := resolver(t, "10.1.2.3")
	res, _ := p.Ask(&hooked{query: ask(t, "wiki.corp.example."), begin: func() { p.Replace([]server.Server{knower}) }}, nil)
	if res.Verdict != race.Good {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
}

// Upstreams over encrypted connections that come are asked what is asked over these.
func TestEncryptedComes(t *testing.T) {
	old := hold(t, "")
	p := newPool(t, old.Server)
	results := askAll(t, p, 1)
	<-old.asked
	closed, err := server.Parse("tls://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	p.Replace([]server.Server{old.Server, closed})
	old.release()
	if res := <-results; res.Verdict != race.NXDomain || res.Conclusive() || len(res.Errs) != 2 || !race.NetworkFailed(res.Errs[1]) {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
}

// R21: with private_links, the upstreams of a link that comes are asked for the names in its
// domains; and when the link goes, a name that was asked for over it is not shown to others.
func TestR21Changed(t *testing.T) {
	v := option.Default()
	v.Rules.Timeout, v.Patience, v.PrivateLinks = testkit.Patience, testkit.Patience, true
	old, knower := hold(t, ""), hold(t, "10.1.2.3")
	knower.Domains = []string{"corp.example."}
	p := New(Config{Values: v})
	t.Cleanup(p.Close)
	p.Replace([]server.Server{old.Server})
	results := askAll(t, p, 1)
	<-old.asked
	p.Replace([]server.Server{old.Server, knower.Server})
	<-knower.asked
	old.release()
	knower.release()
	if res := <-results; res.Verdict != race.Good {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}

	other, denier := hold(t, ""), hold(t, "")
	denier.Domains = knower.Domains
	p.Replace([]server.Server{other.Server, denier.Server})
	results = askAll(t, p, 1)
	<-denier.asked
	p.Replace([]server.Server{other.Server})
	denier.release()
	if res := <-results; res.Verdict != race.NXDomain || len(res.Members) != 1 {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
	if len(other.asked) > 0 {
		t.Error("it was shown to another upstream")
	}
}

// The lookup of an upstream's host asks those that come too, but none that is looked up.
func TestLookupChanged(t *testing.T) {
	old, knower := hold(t, ""), hold(t, "10.1.2.3")
	hosted, err := server.Parse("tls://other.example")
	if err != nil {
		t.Fatal(err)
	}
	p := newPool(t, old.Server)
	found := make(chan error)
	go func() {
		addrs, _, err := p.bootstrap(t.Context(), "dns.corp.example")
		if err == nil && len(addrs) == 0 {
			err = errors.New("no address")
		}
		found <- err
	}()
	<-old.asked
	<-old.asked
	p.Replace([]server.Server{old.Server, hosted, knower.Server})
	old.release()
	knower.release()
	if err := <-found; err != nil {
		t.Error(err)
	}
}
