//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// worldTally is what became of questions.
type worldTally struct {
	asked, seen [questionKinds]int
	shown       [questionKinds]int // internal names, to others than their owner
	wrong, lost int
	preferred   int // split names with company A's address
	flaps       int // times that a split name changed its address
	waits       []time.Duration
}

// ask puts n questions to a server, one after another by each of some clients. Whoever
// is gone knows nothing: then denials are right, but for names that may be stale.
func (w *world) ask(s *server, n int, seed uint64) (t worldTally, err error) {
	const clients = 8
	w.mu.Lock()
	clear(w.seen)
	clear(w.shown)
	w.mu.Unlock()
	var all sync.WaitGroup
	var mu sync.Mutex
	last := make(map[string]string)
	for i := range clients {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			c := dns.Client{Timeout: clientPatience}
			conn, dialErr := c.Dial(s.addr)
			if dialErr != nil {
				err = dialErr
				return
			}
			defer conn.Close()
			for range n / clients {
				kind, name, qtype := worldQuestion(r)
				begun := time.Now()
				reply, _, askErr := c.ExchangeWithConn(new(dns.Msg).SetQuestion(name, qtype), conn)
				took := time.Since(begun)
				mu.Lock()
				t.asked[kind]++
				switch {
				case askErr != nil:
					t.lost++
				case !rightReply(kind, reply):
					t.wrong++
				case kind == splitName:
					address := reply.Answer[0].(*dns.A).A.String()
					if strings.HasPrefix(address, "10.") {
						t.preferred++
					}
					if was, ok := last[name]; ok && was != address {
						t.flaps++
					}
					last[name] = address
				}
				if kind <= splitName {
					t.waits = append(t.waits, took)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	time.Sleep(50 * time.Millisecond) // for the last that are late
	w.mu.Lock()
	defer w.mu.Unlock()
	for kind, n := range w.seen {
		t.seen[kind], t.shown[kind] = n, w.shown[kind]
	}
	slices.Sort(t.waits)
	return t, err
}

// rightReply reports whether a reply is what somebody who knows would say.
func rightReply(kind questionKind, r *dns.Msg) bool {
	switch kind {
	case noName:
		return r.Rcode == dns.RcodeNameError
	case noRecord:
		return r.Rcode == dns.RcodeSuccess && len(r.Answer) == 0
	}
	return r.Rcode == dns.RcodeSuccess && len(r.Answer) == 1
}

// positive is how many upstream queries a question with an answer cost.
func (t *worldTally) positive() float64 {
	asked := t.asked[publicName] + t.asked[ownName] + t.asked[splitName]
	return float64(t.seen[publicName]+t.seen[ownName]+t.seen[splitName]) / float64(max(asked, 1))
}

func (t *worldTally) negative() float64 {
	return float64(t.seen[noRecord]) / float64(max(t.asked[noRecord], 1))
}

// foreign is how often internal names were seen by each of the two resolvers that have
// nothing to do with them.
func (t *worldTally) foreign(kind questionKind) float64 {
	return float64(t.shown[kind]) / 2 / float64(max(t.asked[kind], 1))
}

// world is two companies and a provider: what is asked, who sees it, whose answers are
// given, with and without knowledge; then a zone moves, and a company goes away and comes
// back.
func (b *bench) world() error {
	n := 6000
	if b.plan.alone {
		n = 800
	}
	t := table{
		title: "A world of two companies and a provider",
		note: fmt.Sprintf("%d questions: 60 %% public names, 15 %% internal, 5 %% split, 15 %% NODATA, 5 %% denials. The preferred view is that of the company\n"+
			"listed first. Wrong counts all phases: steady, after a zone moved, and after a company was away and came back.", n),
		head: []string{"server", "queries a positive", "a NODATA", "internal names others see %", "NODATA others see %", "split: preferred %", "flaps", "p50 ms", "p99 ms", "wrong", "lost", "wrong denials"},
	}
	names := []string{"dnsmus", "learn", "tells", "prefer", "forward", "dnsmasq"}
	tallies := make(map[string]worldTally)
	wrong := make(map[string]int)
	for _, name := range names {
		if name == "dnsmasq" && b.dnsmasq == "" {
			continue
		}
		steady, bad, lost, denials, err := b.worldOf(name, n)
		if err != nil {
			return err
		}
		tallies[name], wrong[name] = steady, bad+lost
		t.add(name, fmt.Sprintf("%.2f", steady.positive()), fmt.Sprintf("%.2f", steady.negative()), fmt.Sprintf("%.1f", 100*steady.foreign(ownName)), fmt.Sprintf("%.1f", 100*steady.foreign(noRecord)),
			percent(steady.preferred, steady.asked[splitName]), steady.flaps, ms(quantile(steady.waits, 0.5)), ms(quantile(steady.waits, 0.99)), bad, lost, denials)
	}
	b.report.table(t)
	on, off, prefers := tallies["learn"], tallies["dnsmus"], tallies["prefer"]
	p50s := float64(quantile(on.waits, 0.5)) / float64(quantile(off.waits, 0.5))
	p99s := float64(quantile(on.waits, 0.99)) / float64(quantile(off.waits, 0.99))
	bad := wrong["learn"] + wrong["prefer"]
	b.report.goal("World, learn: wrong or lost", "0", fmt.Sprint(bad), bad == 0)
	b.report.goal("World, learn: upstream queries a positive question", "1.25", fmt.Sprintf("%.2f", on.positive()), on.positive() <= 1.25)
	b.report.goal("World, learn: a NODATA question", "1.2", fmt.Sprintf("%.2f", on.negative()), on.negative() <= 1.2)
	b.report.goal("World, learn: internal names seen by others", "6 %", fmt.Sprintf("%.1f %%", 100*on.foreign(ownName)), on.foreign(ownName) <= 0.06)
	b.report.goal("World, prefer order: split names of the preferred view", "99 %, no flap",
		percent(prefers.preferred, prefers.asked[splitName])+fmt.Sprintf(" %%, %d flaps", prefers.flaps),
		prefers.preferred*100 >= 99*prefers.asked[splitName] && prefers.flaps == 0)
	b.report.goal("World, learn: p50 and p99 beside learn off", "1.0, 1.2", fmt.Sprintf("%.2f, %.2f", p50s, p99s), p50s <= 1.05 && p99s <= 1.2)
	if err := b.worldAway(); err != nil {
		return err
	}
	return b.worldCost()
}

// worldOf holds the phases with one server. Denials are those after which a good answer came, if the server tells.
func (b *bench) worldOf(engine string, n int) (steady worldTally, wrong, lost int, denials string, err error) {
	denials = "-"
	w, err := startWorld()
	if err != nil {
		return steady, 0, 0, denials, err
	}
	defer w.stop()
	s, err := b.startServer(entry{engine: engine}, w.addrs[:])
	if err != nil {
		return steady, 0, 0, denials, err
	}
	defer s.stop()
	phase := func(n int, seed uint64) (t worldTally) {
		if err == nil {
			t, err = w.ask(s, n, seed)
			wrong, lost = wrong+t.wrong, lost+t.lost
		}
		return t
	}
	steady = phase(n, 1)
	w.moved.Store(true)
	phase(n/4, 2)
	w.gone[companyB].Store(true)
	time.Sleep(patience)
	if err == nil {
		_, err = w.ask(s, n/8, 3) // what is asked now of the one that is away nobody can know
	}
	w.gone[companyB].Store(false)
	time.Sleep(2 * probeEvery)
	phase(n/4, 4)
	if engine == "tells" && err == nil {
		denials, err = s.wrongDenials(s.socket(b.dir))
	}
	return steady, wrong, lost, denials, err
}

// worldAway is a company that goes away, behind a cache that may serve what is stale.
func (b *bench) worldAway() error {
	w, err := startWorld()
	if err != nil {
		return err
	}
	defer w.stop()
	s, err := b.startServer(entry{engine: "away"}, w.addrs[:])
	if err != nil {
		return err
	}
	defer s.stop()
	const names = 60
	ask := func() (good, denied, other int) {
		c := dns.Client{Timeout: clientPatience}
		for i := range names {
			r, _, err := c.Exchange(new(dns.Msg).SetQuestion(fmt.Sprintf("host%d.%s", i, inner[1]), dns.TypeA), s.addr)
			switch {
			case err == nil && len(r.Answer) == 1:
				good++
			case err == nil && r.Rcode == dns.RcodeNameError:
				denied++
			default:
				other++
			}
		}
		return good, denied, other
	}
	ask()
	w.gone[companyB].Store(true)
	time.Sleep(2 * time.Second) // what the cache holds is stale
	good, denied, other := ask()
	w.gone[companyB].Store(false)
	t := table{title: "The company is away, away behind cache with serve_stale", head: []string{"names", "served stale", "NXDOMAIN", "else"}}
	t.add(names, good, denied, other)
	b.report.table(t)
	b.report.goal("World, away: names denied while their company is away", "0", fmt.Sprint(denied), denied == 0)
	return nil
}

// worldCost is what a query costs at full load.
func (b *bench) worldCost() error {
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 3}, {engine: "learn", n: 3}}
	return b.with(repeat("good", 3), entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		results, err := b.turns(servers, flatOut(b.plan.turn))
		if err != nil {
			return err
		}
		base := figure(results[baseline][0], perAnswer)
		t := table{title: "CPU a query at full load, all upstreams know the name", head: []string{"server", "CPU us/query", "CPU / " + baseline}}
		for _, s := range servers {
			cpu := figure(results[s.name][0], perAnswer)
			t.add(s.name, cpu.text(1), cpu.over(base).text(2))
			if s.name == "learn 3" {
				ratio := cpu.over(base)
				b.report.goal("CPU a query, 3 upstreams, learn / "+baseline, "0.70", ratio.text(2), ratio.median() <= 0.7)
			}
		}
		b.report.table(t)
		return nil
	})
}
