//go:build linux

package main

import (
	"fmt"
	"strings"
)

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
