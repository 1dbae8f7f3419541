//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// scenarios in the order in which they run.
var scenarios = []struct {
	name  string
	run   func(*bench) error
	named bool // it runs only if -run is given
}{
	{name: "cpu", run: (*bench).cpuRatios},
	{name: "instructions", run: (*bench).instructions, named: true},
	{name: "told", run: (*bench).told, named: true},
	{name: "watched", run: (*bench).watched, named: true},
	{name: "commands", run: (*bench).commands},
	{name: "cache", run: (*bench).cache},
	{name: "quiet", run: (*bench).quiet},
	{name: "idle", run: (*bench).idle},
	{name: "good", run: (*bench).allGood},
	{name: "nxdomain", run: (*bench).allDeny},
	{name: "late", run: (*bench).goodLater},
	{name: "blackhole", run: (*bench).blackHole},
	{name: "dead", run: (*bench).allDead},
	{name: "negative", run: (*bench).negative},
	{name: "loss", run: (*bench).loss},
	{name: "encrypted", run: (*bench).encrypted},
	{name: "tcp", run: (*bench).tcp},
	{name: "scale", run: (*bench).scale},
	{name: "world", run: (*bench).world},
	{name: "zipf", run: (*bench).zipf},
}

const (
	clientPatience = 5 * time.Second // what resolver libraries wait before they give up
	patience       = 2 * time.Second // the default of dnsmus
	probeEvery     = time.Second     // while an upstream is down
)

func flatOut(d time.Duration) load { return load{For: d, Timeout: time.Second} }

func onSchedule(rate int, d time.Duration) load {
	return load{Rate: rate, For: d, Timeout: clientPatience}
}

// entry is a server that takes part: an engine, asking the first so many of the
// scenario's fakes.
type entry struct {
	engine string
	n      int
	above  string // plugins above it, as in a Corefile
	scheme string // of the server block, as tls://; empty: plain DNS
	name   string // that it has in tables; empty: made of the others
}

func (e entry) String() string {
	if e.name != "" {
		return e.name
	}
	if e.above != "" {
		return fmt.Sprint(e.engine, " ", e.n, ", usual plugins")
	}
	if e.n == 0 {
		return e.engine
	}
	return fmt.Sprint(e.engine, " ", e.n)
}

// baseline is what others are compared with.
const baseline = "forward 1"

// with starts fakes and the servers that ask them, calls run, and stops them.
func (b *bench) with(specs []string, entries []entry, run func([]*server) error) error {
	f, err := startFakes(b.ctx, specs...)
	if err != nil {
		return err
	}
	defer f.stop()
	b.fakes = f
	var servers []*server
	for _, e := range entries {
		if e.engine == "dnsmasq" && b.dnsmasq == "" {
			continue
		}
		s, err := b.startServer(e, f.addrs[:e.n])
		if err != nil {
			return err
		}
		defer s.stop()
		servers = append(servers, s)
	}
	return run(servers)
}

// warm lets servers open their sockets and grow their heaps.
func (b *bench) warm(servers []*server) error {
	for _, s := range servers {
		if _, err := b.measure(s, flatOut(300*time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// turns holds rounds in which each server gets each of the loads, forth and back. The results
// are by server name and load.
func (b *bench) turns(servers []*server, loads ...load) (map[string][][]result, error) {
	results := make(map[string][][]result)
	order := servers
	for range b.plan.rounds {
		order = slices.Clone(order)
		slices.Reverse(order)
		for _, s := range order {
			if results[s.name] == nil {
				results[s.name] = make([][]result, len(loads))
			}
			for i, l := range loads {
				r, err := b.measure(s, l)
				if err != nil {
					return nil, err
				}
				results[s.name][i] = append(results[s.name][i], r)
			}
		}
	}
	return results, nil
}

// figure takes one number out of each round's result.
func figure(rounds []result, f func(result) float64) series {
	var s series
	for _, r := range rounds {
		s = append(s, f(r))
	}
	return s
}

func perSecond(r result) float64       { return float64(r.Answered) / r.For.Seconds() }
func perAnswer(r result) float64       { return r.micros(r.cpu) }
func clientPerAnswer(r result) float64 { return r.micros(r.clientCPU) }
func fakesPerAnswer(r result) float64  { return r.micros(r.fakesCPU) }
func p50(r result) float64             { return milliseconds(r.P50) }
func p99(r result) float64             { return milliseconds(r.P99) }
func lost(r result) float64            { return float64(r.Lost) }
func strange(r result) float64         { return float64(r.Strange) }

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// allGood is the everyday: every upstream knows the name. What it costs at full
// load, and what a client waits at lower loads.
func (b *bench) allGood() error {
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 3}, {engine: "dnsmus", n: 5}, {engine: "forward", n: 3}, {engine: "dnsmasq", n: 3}}
	rates := []int{2000, 5000, 10000}
	return b.with(repeat("good", 5), entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		loads := []load{flatOut(b.plan.turn)}
		for _, rate := range rates {
			loads = append(loads, onSchedule(rate, b.plan.turn))
		}
		results, err := b.turns(servers, loads...)
		if err != nil {
			return err
		}
		if err := b.count(servers); err != nil {
			return err
		}

		base := results[baseline]
		costs := table{
			title: "All upstreams know the name: full load",
			head: []string{"server", "queries/s", "CPU us/query", "CPU / " + baseline, "lost", "strange",
				"peak RSS MB", "fds", "goroutines (most)"},
		}
		waits := table{
			title: "All upstreams know the name: latency",
			head:  []string{"server", "queries/s", "p50 ms", "p99 ms", "p99 / " + baseline, "lost", "CPU us/query"},
		}
		bars := barChart{title: "CPU per query at full load, forward with 1 upstream = 1", mark: 1}
		lines := lineChart{title: "p99 latency in ms by queries per second", xs: rates}
		for _, s := range servers {
			r := results[s.name]
			cpu := figure(r[0], perAnswer)
			ratio := cpu.over(figure(base[0], perAnswer))
			costs.add(s.name, figure(r[0], perSecond).text(0), cpu.text(1), ratio.text(2),
				figure(r[0], lost).sum(), figure(r[0], strange).sum(), megabytes(s.peakRSS()), s.maxFDs, s.goroutinesText())
			bars.add(s.name, ratio.median())
			var p99s []float64
			for j, rate := range rates {
				o := r[1+j]
				waits.add(s.name, rate, figure(o, p50).text(2), figure(o, p99).text(2),
					figure(o, p99).over(figure(base[1+j], p99)).text(2), figure(o, lost).sum(), figure(o, perAnswer).text(1))
				p99s = append(p99s, figure(o, p99).median())
			}
			lines.add(s.name, p99s)
			if s.name == "dnsmus 3" {
				b.report.goal("CPU a query at full load, 3 upstreams / "+baseline, "<= 1.00, stretch 0.80",
					ratio.text(2), ratio.median() <= 1)
			}
		}
		slope := slope(map[int]float64{
			1: figure(results["dnsmus 1"][0], perAnswer).median(),
			3: figure(results["dnsmus 3"][0], perAnswer).median(),
			5: figure(results["dnsmus 5"][0], perAnswer).median(),
		})
		b.report.goal("CPU of each further upstream at full load", "<= 4.0 us", fmt.Sprintf("%.1f us", slope), slope <= 4)
		costs.note = fmt.Sprintf("%d queries under way at any time. Each further upstream costs dnsmus %.1f us.\n"+
			"For each query to %s the bench itself took %.1f us in the client and %.1f us in the fakes.",
			clientSockets*window, slope, baseline, figure(base[0], clientPerAnswer).median(), figure(base[0], fakesPerAnswer).median())
		b.report.table(costs)
		b.report.table(waits)
		b.report.plot("cpu", bars.svg())
		b.report.plot("p99", lines.svg())
		return nil
	})
}

// count looks at file descriptors and goroutines under a load of its own.
func (b *bench) count(servers []*server) error {
	for _, s := range servers {
		stop := s.watch()
		_, err := b.measure(s, onSchedule(5000, b.plan.turn/2))
		stop()
		if err != nil {
			return err
		}
	}
	return nil
}

// allDeny is a name that does not exist: every upstream must be waited for.
func (b *bench) allDeny() error {
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 3}, {engine: "forward", n: 3}, {engine: "dnsmasq", n: 3}}
	return b.with(repeat("nxdomain", 3), entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		results, err := b.turns(servers, flatOut(b.plan.turn), onSchedule(5000, b.plan.turn))
		if err != nil {
			return err
		}
		base := results[baseline]
		t := table{
			title: "All upstreams deny the name",
			note:  "Full load, then latency at 5000 queries/s.",
			head: []string{"server", "queries/s", "CPU us/query", "CPU / " + baseline,
				"p50 ms", "p99 ms", "p99 / " + baseline, "lost", "NXDOMAIN %"},
		}
		for _, s := range servers {
			r := results[s.name]
			cpu, wait := figure(r[0], perAnswer), figure(r[1], p99)
			t.add(s.name, figure(r[0], perSecond).text(0), cpu.text(1), cpu.over(figure(base[0], perAnswer)).text(2),
				figure(r[1], p50).text(2), wait.text(2), wait.over(figure(base[1], p99)).text(2),
				figure(r[0], lost).sum()+figure(r[1], lost).sum(), percent(total(r[1], nxdomain), answered(r[1])))
		}
		b.report.table(t)
		return nil
	})
}

// goodLater is what dnsmus is for: others are faster with something useless.
func (b *bench) goodLater() error {
	t := table{
		title: "Two upstreams give a useless reply at once, the third knows the name 20 ms later",
		note:  "At 2000 queries/s.",
		head:  []string{"first reply", "server", "good %", "p50 ms", "p99 ms", "lost", "CPU us/query"},
	}
	sent, right := 0, 0
	for _, first := range []kind{nxdomain, nodata, servfail, refused} {
		specs := []string{first.String(), first.String(), "good,delay=20ms"}
		err := b.with(specs, []entry{{engine: "dnsmus", n: 3}, {engine: "forward", n: 3}, {engine: "dnsmasq", n: 3}}, func(servers []*server) error {
			results, err := b.turns(servers, onSchedule(2000, b.plan.turn/2))
			if err != nil {
				return err
			}
			for _, s := range servers {
				r := results[s.name][0]
				n, k := answered(r), total(r, good)
				t.add(strings.ToUpper(first.String()), s.name, percent(k, n), figure(r, p50).text(1), figure(r, p99).text(1),
					figure(r, lost).sum(), figure(r, perAnswer).text(1))
				if s.name == "dnsmus 3" {
					sent += n + figure(r, lost).sum()
					right += k
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.report.table(t)
	b.report.goal("NXDOMAIN, NODATA, SERVFAIL or REFUSED first, good 20 ms later", "100 % good",
		percent(right, sent)+" % good", right == sent)
	return nil
}

// blackHole is an upstream that vanished, beside three that answer.
func (b *bench) blackHole() error {
	t := table{
		title: "A black hole beside 3 good upstreams",
		note:  fmt.Sprintf("10000 queries/s for %v, from a fresh start.", b.plan.hole),
		head: []string{"server", "lost", "overflows", "of", "good %", "p50 ms", "p99 ms", "max ms",
			"fds", "goroutines (most)", "peak RSS MB", "CPU us/query"},
	}
	specs := append(repeat("good", 3), "hole")
	err := b.with(specs, b.rivals(entry{engine: "dnsmus", n: 4}, entry{engine: "forward", n: 4}, entry{engine: "dnsmasq", n: 4}), func(servers []*server) error {
		for _, s := range servers {
			stop := s.watch()
			r, err := b.measure(s, onSchedule(10000, b.plan.hole))
			stop()
			if err != nil {
				return err
			}
			mem := s.peakRSS()
			overflows := s.overflows()
			t.add(s.name, r.Lost, overflows, r.Sent, percent(r.Kinds["good"], r.Sent), ms(r.P50), ms(r.P99), ms(r.Max),
				s.maxFDs, s.goroutinesText(), megabytes(mem), fmt.Sprintf("%.1f", perAnswer(r)))
			if s.name == "dnsmus 4" {
				b.report.goal("Black hole beside 3 good, 10k queries/s", "0 lost, <= 40 fds, <= 100 goroutines, <= 80 MB",
					fmt.Sprintf("%d lost (%d by overflow), %d fds, %s goroutines, %s MB",
						r.Lost, overflows, s.maxFDs, s.goroutinesText(), megabytes(mem)),
					r.Lost == 0 && r.Kinds["good"] == r.Sent && s.maxFDs <= 40 && s.goroutines.median() <= 100 && mem <= 80e6)
			}
		}
		return nil
	})
	b.report.table(t)
	return err
}

// allDead is a network that is gone and comes back, with queries coming all the
// time.
func (b *bench) allDead() error {
	const rate = 10000
	t := table{
		title: "All 3 upstreams are silent, and come back",
		note: fmt.Sprintf("%d queries/s for %v in silence, seen after a quarter of that time and at its end; then the upstreams answer, and at\n"+
			"the same moment a load of 1000 queries/s begins, of which the first second is shown apart.", rate, b.plan.hole),
		head: []string{"server", "peak RSS MB: then", "end", "fds", "goroutines (most): then", "end",
			"back: good %", "lost", "max ms", "from then on: good %", "lost", "p99 ms", "max ms"},
	}
	for _, e := range b.rivals(entry{engine: "dnsmus", n: 3}, entry{engine: "forward", n: 3}, entry{engine: "dnsmasq", n: 3}) {
		err := b.with(repeat("good,sleep", 3), []entry{e}, func(servers []*server) error {
			for _, s := range servers {
				var mem []int
				var goroutines []series
				for _, part := range []time.Duration{b.plan.hole / 4, b.plan.hole * 3 / 4} {
					s.goroutines = nil
					stop := s.watch()
					l := onSchedule(rate, part)
					l.Timeout = 0 // nobody will answer
					_, err := b.measure(s, l)
					stop()
					if err != nil {
						return err
					}
					mem = append(mem, s.peakRSS())
					goroutines = append(goroutines, s.goroutines)
				}
				if err := b.fakes.wake(); err != nil {
					return err
				}
				first, err := b.measure(s, onSchedule(1000, probeEvery))
				if err != nil {
					return err
				}
				r, err := b.measure(s, onSchedule(1000, b.plan.single))
				if err != nil {
					return err
				}
				most := func(g series) string { return (&server{goroutines: g}).goroutinesText() }
				t.add(s.name, megabytes(mem[0]), megabytes(mem[1]), s.maxFDs, most(goroutines[0]), most(goroutines[1]),
					percent(first.Kinds["good"], first.Sent), first.Lost, ms(first.Max),
					percent(r.Kinds["good"], r.Sent), r.Lost, ms(r.P99), ms(r.Max))
				if s.name == "dnsmus 3" {
					b.report.goal("All 3 upstreams silent, 10k queries/s, then back", "memory flat, all good after a second",
						fmt.Sprintf("%s MB, then %s; %s %% good", megabytes(mem[0]), megabytes(mem[1]), percent(r.Kinds["good"], r.Sent)),
						float64(mem[1]) <= 1.1*float64(mem[0]) && r.Kinds["good"] == r.Sent)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.report.table(t)
	return nil
}

// negative is a denial with a black hole listed: how long the first ones take,
// from a fresh start, and how long those after them.
func (b *bench) negative() error {
	t := table{
		title: "Two upstreams deny the name, the third is a black hole",
		note: fmt.Sprintf("First: 100 queries/s for %v, from a fresh start. Then: 1000 queries/s for %v.",
			patience+time.Second, b.plan.single),
		head: []string{"server", "first: p50 ms", "max ms", "lost", "then: p50 ms", "p99 ms", "max ms", "lost", "NXDOMAIN %"},
	}
	specs := []string{"nxdomain", "nxdomain", "hole"}
	err := b.with(specs, b.rivals(entry{engine: "dnsmus", n: 3}, entry{engine: "forward", n: 3}, entry{engine: "dnsmasq", n: 3}), func(servers []*server) error {
		for _, s := range servers {
			first, err := b.measure(s, onSchedule(100, patience+time.Second))
			if err != nil {
				return err
			}
			then, err := b.measure(s, onSchedule(1000, b.plan.single))
			if err != nil {
				return err
			}
			t.add(s.name, ms(first.P50), ms(first.Max), first.Lost,
				ms(then.P50), ms(then.P99), ms(then.Max), then.Lost,
				percent(then.Kinds["nxdomain"], then.Sent))
			if s.name == "dnsmus 3" {
				const slack = 50 * time.Millisecond // of timers and processors
				b.report.goal("Negative with a black hole listed", "<= 2 s once, then < 5 ms",
					fmt.Sprintf("at most %.2f s, then p99 %.2f ms", first.Max.Seconds(), milliseconds(then.P99)),
					first.Max <= patience+slack && then.P99 < 5*time.Millisecond && first.Lost+then.Lost == 0)
			}
		}
		return nil
	})
	b.report.table(t)
	return err
}

// loss is a bad line to the one upstream that knows the name, while the others
// deny it at once.
func (b *bench) loss() error {
	t := table{
		title: "The one upstream that knows the name loses packets, two others deny the name",
		note: fmt.Sprintf("2000 queries/s for %v. Wrong is any answer but the good one. %s asks the upstream that knows, and no other.",
			b.plan.loss, baseline),
		head: []string{"loss", "TCP", "server", "wrong %", "wrong", "of", "lost", "p50 ms", "p99 ms", "max ms", "CPU us/query"},
	}
	for _, tcp := range []string{"closed", "open"} {
		for _, share := range []float64{0.1, 0.3} {
			knows := fmt.Sprintf("good,loss=%v", share)
			if tcp == "closed" {
				knows += ",notcp"
			}
			specs := []string{knows, "nxdomain", "nxdomain"}
			err := b.with(specs, b.rivals(entry{engine: "dnsmus", n: 3}, entry{engine: "forward", n: 1}), func(servers []*server) error {
				for _, s := range servers {
					r, err := b.measure(s, onSchedule(2000, b.plan.loss))
					if err != nil {
						return err
					}
					wrong := r.Answered - r.Kinds["good"]
					t.add(fmt.Sprintf("%.0f %%", share*100), tcp, s.name, percent(wrong, r.Sent), wrong, r.Sent, r.Lost,
						ms(r.P50), ms(r.P99), ms(r.Max), fmt.Sprintf("%.1f", perAnswer(r)))
					if s.name == "dnsmus 3" {
						b.lossGoal(share, tcp, wrong, r)
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	b.report.table(t)
	return nil
}

// lossGoal allows for two standard deviations of chance: three packets are all
// lost in just 0.1 % of all cases at 10 % loss.
func (b *bench) lossGoal(share float64, tcp string, wrong int, r result) {
	goal := 0.001
	if tcp == "closed" && share > 0.2 {
		goal = 0.03
	}
	expected := goal * float64(r.Sent)
	ok := float64(wrong) <= expected+2*math.Sqrt(expected) && r.Lost == 0
	text := fmt.Sprintf("<= %.1f %% wrong", goal*100)
	if tcp == "closed" {
		text += ", p99 <= 1 s"
		ok = ok && r.P99 <= time.Second
	}
	b.report.goal(fmt.Sprintf("Loss of %.0f %% at the one that knows, TCP %s", share*100, tcp), text,
		fmt.Sprintf("%s %% wrong, p99 %.2f s", percent(wrong, r.Sent), r.P99.Seconds()), ok)
}

// rivals leaves all but the first out of a run that has no time for them.
func (b *bench) rivals(entries ...entry) []entry {
	if b.plan.alone {
		return entries[:1]
	}
	return entries
}

func repeat(s string, n int) []string {
	var all []string
	for range n {
		all = append(all, s)
	}
	return all
}

func answered(rounds []result) (n int) {
	for _, r := range rounds {
		n += r.Answered
	}
	return n
}

func total(rounds []result, k kind) (n int) {
	for _, r := range rounds {
		n += r.Kinds[k.String()]
	}
	return n
}

// goroutinesText is the median, as one a query under way is normal in CoreDNS
// and many of those pile up when the machine stalls, and the most.
func (s *server) goroutinesText() string {
	if len(s.goroutines) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f (%.0f)", s.goroutines.median(), slices.Max(s.goroutines))
}
