package pool

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// contradictory is a resolver that answers A, and denies the name for all other types (RFC
// 4074, section 4.2), until it is deleted.
type contradictory struct {
	*company
	deleted chan bool
}

func newContradictory(t *testing.T, chain bool) *contradictory {
	t.Helper()
	c := &contradictory{&company{asked: make(map[string]int), ids: make(map[string]bool), seen: make(chan string, 1000), holds: make(map[string]chan bool)}, make(chan bool)}
	c.Server = server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name, qtype := q.Question[0].Name, q.Question[0].Qtype
		c.mu.Lock()
		if packet := fmt.Sprint(name, qtype, q.Id); !c.ids[packet] { // else it is sent again
			c.ids[packet] = true
			c.asked[name+dns.Type(qtype).String()]++
		}
		hold := c.holds[name+dns.Type(qtype).String()]
		c.mu.Unlock()
		c.seen <- name + dns.Type(qtype).String()
		if hold != nil {
			<-hold
		}
		deleted := false
		select {
		case <-c.deleted:
			deleted = true
		default:
		}
		m := new(dns.Msg).SetReply(q)
		m.Rcode, m.RecursionAvailable = dns.RcodeNameError, true
		m.Ns = []dns.RR{rr(t, "example. 60 IN SOA ns.example. mail.example. 1 2 3 4 30")}
		if chain && !deleted && name == "host.example." {
			m.Answer = []dns.RR{rr(t, name+" 60 IN CNAME real.example.")}
			name = "real.example."
		}
		if qtype == dns.TypeA && !deleted {
			m.Rcode, m.Ns, m.Answer = dns.RcodeSuccess, nil, append(m.Answer, rr(t, name+" 60 IN A 10.1.2.3"))
		}
		w.WriteMsg(m)
	}))
	return c
}

func (c *contradictory) countType(qtype uint16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked["host.example."+dns.Type(qtype).String()]
}

var otherTypes = []uint16{dns.TypeAAAA, dns.TypeHTTPS, dns.TypeTXT}

// R18: a resolver that has A of a name, and denies the name for other types, does not deny it
// while its answer lives; nor do others. It is asked for A again, in the background.
func TestR18Contradiction(t *testing.T) {
	for _, chain := range []bool{false, true} {
		for _, others := range []int{0, 2} {
			giver := newContradictory(t, chain)
			servers := []server.Server{giver.Server}
			for range others {
				servers = append(servers, resolver(t, ""))
			}
			p := newPool(t, servers...)
			// Nothing is known yet, so A is asked for, of the name or of the end of its alias.
			if res, _ := p.Ask(askFor(t, "host.example.", dns.TypeAAAA, false), nil); res.Verdict != race.NoData || res.Proven == chain {
				t.Errorf("before A: %v", res.Verdict)
			}
			before := giver.countType(dns.TypeA)
			if want := map[bool]int{false: 1, true: 0}[chain]; before != want {
				t.Errorf("it was asked for A %d times, want %d", before, want)
			}
			if res, _ := p.Ask(askFor(t, "host.example.", dns.TypeA, false), nil); res.Verdict != race.Good {
				t.Errorf("A: %v", res.Verdict)
			}
			for i, qtype := range otherTypes {
				res, _ := p.Ask(askFor(t, "host.example.", qtype, false), nil)
				if res.Verdict != race.NoData || !chain && (!res.Proven || len(res.Parts) > 0) {
					t.Errorf("chain %v, %d others, %s: %v, %v", chain, others, dns.Type(qtype), res.Verdict, res.Errs)
				}
				testkit.Eventually(t, func() error {
					if n := giver.countType(dns.TypeA) - before; n != 2+i {
						return fmt.Errorf("it was asked for A %d times, want %d", n, 2+i)
					}
					return noConfirmation(p)
				})
			}
			if res, _ := p.Ask(askFor(t, "host.example.", dns.TypeAAAA, true), nil); !res.Proven {
				t.Errorf("DO: %v", res.Verdict)
			}
		}
	}
}

func noConfirmation(p *Pool) (err error) {
	p.confirming.Range(func(any, any) bool {
		err = errors.New("it is asked still")
		return false
	})
	return err
}

// R18: the types of a name that are asked for at once get NODATA, not a denial of the name,
// whichever reply comes first.
func TestR18ContradictionAtOnce(t *testing.T) {
	for _, chain := range []bool{false, true} {
		for _, first := range []uint16{dns.TypeA, dns.TypeAAAA} {
			giver := newContradictory(t, chain)
			p := newPool(t, giver.Server, resolver(t, ""))
			held := "host.example." + dns.Type(dns.TypeA).String()
			hold := make(chan bool)
			giver.mu.Lock()
			giver.holds[held] = hold
			giver.mu.Unlock()
			all := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS}
			if first == dns.TypeAAAA {
				slices.Reverse(all)
			}
			type outcome struct {
				qtype uint16
				res   *Result
			}
			results := make(chan outcome, 18)
			for i := range cap(results) {
				qtype := all[i%3]
				q := askFor(t, "host.example.", qtype, false)
				go func() {
					res, _ := p.Ask(q, nil)
					results <- outcome{qtype, res}
				}()
				if i == 0 && first == dns.TypeA {
					for seen := range giver.seen {
						if seen == held {
							break
						}
					}
				}
			}
			// A is on its way when the others are denied, for that is how clients ask; or they ask
			// for it themselves.
			testkit.Eventually(t, func() error {
				if giver.countType(dns.TypeAAAA) == 0 || giver.countType(dns.TypeHTTPS) == 0 || giver.countType(dns.TypeA) == 0 {
					return errors.New("not all were asked for")
				}
				return nil
			})
			if !chain { // at the end of an alias they are proven not to be denied without A of the alias
				time.Sleep(20 * time.Millisecond) // they are denied now
				if n := len(results); n > 0 {
					t.Errorf("%d did not wait", n)
				}
			}
			close(hold)
			for range cap(results) {
				o := <-results
				if o.qtype == dns.TypeA && o.res.Verdict != race.Good || o.qtype != dns.TypeA && o.res.Verdict != race.NoData {
					t.Errorf("chain %v, %s: %v, %v", chain, dns.Type(o.qtype), o.res.Verdict, o.res.Errs)
				}
			}
		}
	}
}

// R18: a name that is deleted is denied for all types, when who gave its address denies that.
func TestR18ContradictionEnds(t *testing.T) {
	for _, chain := range []bool{false, true} {
		for _, clients := range []int{1, 6} {
			giver := newContradictory(t, chain)
			p := newPool(t, giver.Server, resolver(t, ""))
			p.Ask(askFor(t, "host.example.", dns.TypeA, false), nil)
			close(giver.deleted)
			// What is asked first may still get NODATA; it has A asked for.
			results := make(chan *Result, clients)
			for range clients {
				q := askFor(t, "host.example.", dns.TypeAAAA, false)
				go func() {
					res, _ := p.Ask(q, nil)
					results <- res
				}()
			}
			for range clients {
				if res := <-results; res.Verdict != race.NoData && res.Verdict != race.NXDomain && res.Verdict != race.NXDomainSOA {
					t.Errorf("%v", res.Verdict)
				}
			}
			testkit.Eventually(t, func() error { return noConfirmation(p) })
			for _, qtype := range append(otherTypes, dns.TypeA) {
				if res, _ := p.Ask(askFor(t, "host.example.", qtype, false), nil); res.Verdict != race.NXDomainSOA || res.Proven {
					t.Errorf("chain %v, %d clients: %s: %v", chain, clients, dns.Type(qtype), res.Verdict)
				}
			}
			if n := giver.countType(dns.TypeA); n < 2 || n > 2+clients+1 {
				t.Errorf("it was asked for A %d times", n)
			}
		}
	}
	// At once if A itself is asked for.
	giver := newContradictory(t, false)
	p := newPool(t, giver.Server, resolver(t, ""))
	p.Ask(askFor(t, "host.example.", dns.TypeA, false), nil)
	close(giver.deleted)
	for _, qtype := range append([]uint16{dns.TypeA}, otherTypes...) {
		if res, _ := p.Ask(askFor(t, "host.example.", qtype, false), nil); res.Verdict != race.NXDomainSOA || res.Proven {
			t.Errorf("%s: %v", dns.Type(qtype), res.Verdict)
		}
	}
}

// R18, R24: when a deleted name is denied for another type, its address is not kept either.
func TestR18ContradictionKept(t *testing.T) {
	for _, deleted := range []bool{false, true} {
		giver := newContradictory(t, false)
		p := New(Config{Values: option.Default()})
		p.cfg.Cache = 100
		p.cache = p.newCache()
		t.Cleanup(p.Close)
		p.Replace([]server.Server{giver.Server, resolver(t, "")})
		a := askFor(t, "host.example.", dns.TypeA, false)
		p.Ask(a, nil)
		if deleted {
			close(giver.deleted)
		}
		p.Ask(askFor(t, "host.example.", dns.TypeAAAA, false), nil)
		testkit.Eventually(t, func() error { return noConfirmation(p) })
		kept, _, state := p.Kept(wire.Question(a.msg), 0, time.Now()) // of a deleted one the denial may be
		if answered := state == cache.Alive && kept.Kind == cache.Answer; answered == deleted {
			t.Errorf("deleted %v: what is kept of A is %v", deleted, state)
		}
	}
}
