package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// R23: a bare alias does not win over a whole answer that comes later, nor does it hold one
// up; the end that two aliases have is asked for once.
func TestR23Beside(t *testing.T) {
	first, second := newCompany(t, "wiki CNAME host.b"), newCompany(t, "wiki CNAME host.b", "host.b A 10.2.0.20")
	whole := newCompany(t, "wiki A 10.9.0.9")
	p := chainPool(t, nil, first, second, whole)
	// The first denies the end, the second is asked for it and holds its reply back.
	releaseEnd, releaseWhole := second.holdBack(t, "host.b"), whole.holdBack(t, "wiki")
	results := make(chan *Result, 6)
	for range cap(results) {
		q := ask(t, "wiki.example.")
		go func() {
			res, _ := p.Ask(q, nil)
			results <- res
		}()
	}
	for name := range second.seen {
		if name == "host.b.example." {
			break
		}
	}
	releaseWhole()
	for range cap(results) {
		if got := (<-results).text(p); got != "NOERROR 10.9.0.9" {
			t.Errorf("got %s", got)
		}
	}
	releaseEnd()
	if n := second.count("host.b"); n != 1 {
		t.Errorf("the end was asked for %d times", n)
	}
}

// R23, R11: who asks for an end itself shares the race for it, and is counted.
func TestR23Shared(t *testing.T) {
	first, known := newCompany(t, "wiki CNAME host.b", "www CNAME host.b"), newCompany(t, "host.b A 10.2.0.20")
	p := chainPool(t, nil, first, known)
	release := known.holdBack(t, "host.b")
	type outcome struct {
		text    string
		counted bool
	}
	results := make(chan outcome, 9)
	for i := range cap(results) {
		name := []string{"wiki", "www", "host.b"}[i%3]
		q := ask(t, fqdn(name))
		go func() {
			res, first := p.Ask(q, nil)
			results <- outcome{name + ": " + res.text(p), first}
		}()
	}
	testkit.Eventually(t, func() error {
		p.calls.mu.Lock()
		defer p.calls.mu.Unlock()
		waits := 0
		for _, c := range p.calls.underway {
			waits += len(c.race.waits)
		}
		if waits < 2 || len(p.calls.underway) < 3 {
			return fmt.Errorf("%d races wait", waits)
		}
		return nil
	})
	release()
	counted := make(map[string]int)
	for range cap(results) {
		o := <-results
		if o.counted {
			counted[o.text]++
		}
	}
	for _, want := range []string{"wiki: NOERROR host.b 10.2.0.20 by wiki 0 host.b 1", "www: NOERROR host.b 10.2.0.20 by www 0 host.b 1", "host.b: NOERROR 10.2.0.20"} {
		if counted[want] != 1 {
			t.Errorf("%s: counted %d times, of %v", want, counted[want], counted)
		}
	}
	if n := known.count("host.b"); n != 1 {
		t.Errorf("the end was asked for %d times", n)
	}
}

// R23: aliases that lead to each other at one company, and are both asked for at once, wait
// for each other not at all, and another company's answer is found all the same.
func TestR23Circle(t *testing.T) {
	for range 10 {
		circle := newCompany(t, "a CNAME b", "b CNAME c", "c CNAME a")
		known := newCompany(t, "c A 10.3.0.3")
		p := chainPool(t, nil, circle, known)
		release := known.holdBack(t, "c")
		results := make(chan string, 18)
		for i := range cap(results) {
			name := string("abc"[i%3])
			q := ask(t, fqdn(name))
			go func() {
				res, _ := p.Ask(q, nil)
				m := new(dns.Msg)
				if res.Leg < 0 || res.Verdict != race.Good || m.Unpack(res.Msg) != nil {
					results <- fmt.Sprint(name, " ", res.Verdict, res.Errs)
					return
				}
				results <- fmt.Sprint(name, " ", m.Answer[len(m.Answer)-1].(*dns.A).A)
			}()
		}
		for range 3 {
			<-known.seen
		}
		release()
		for range cap(results) {
			if got := <-results; !strings.HasSuffix(got, " 10.3.0.3") {
				t.Error(got)
			}
		}
	}
	// And where nobody knows better, all fail at once.
	circle := newCompany(t, "a CNAME b", "b CNAME a")
	p := chainPool(t, nil, circle, newCompany(t))
	start := time.Now()
	results := make(chan *Result, 6)
	for i := range cap(results) {
		q := ask(t, fqdn(string("ab"[i%2])))
		go func() {
			res, _ := p.Ask(q, nil)
			results <- res
		}()
	}
	for range cap(results) {
		if res := <-results; res.Verdict != race.Broken || !slices.ContainsFunc(res.Errs, isEndless) {
			t.Errorf("%v, %v", res.Verdict, res.Errs)
		}
	}
	if took := time.Since(start); took > testkit.Patience/2 {
		t.Errorf("it took %v", took)
	}
}
