//go:build linux

package main

import (
	"fmt"
	"math"
	"time"
)

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
