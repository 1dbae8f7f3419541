//go:build linux

package main

import (
	"fmt"
	"time"
)

// quietRates are the queries a second of a laptop, a node and a small office. At each, a
// query costs mostly what it takes to wake up for it.
var quietRates = []struct {
	rate  int
	turns float64 // of plan.turn that it is measured for: long enough for some dozens of queries
	goals map[kind]quietGoal
}{
	{10, 3, map[kind]quietGoal{good: {1.2, 1.4}, nxdomain: {1.4, 1.4}}},
	{50, 1.5, map[kind]quietGoal{good: {1.2, 1.4}, nxdomain: {1.4, 1.4}}},
	{500, 0.75, map[kind]quietGoal{good: {1.35, 1.35}, nxdomain: {1.35, 1.35}}},
}

// quietGoal is the most that dnsmus with three upstreams is to cost, to forward with one.
type quietGoal struct{ switches, cpu float64 }

// quietRounds is enough, for a round takes long.
const quietRounds = 3

func switchesPerAnswer(r result) float64 { return float64(r.switches) / float64(max(r.Answered, 1)) }

// quiet is what a query costs at ordinary rates, in thread switches and CPU.
func (b *bench) quiet() error {
	defer func(n int) { b.plan.rounds = n }(b.plan.rounds)
	b.plan.rounds = min(b.plan.rounds, quietRounds)
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 3}, {engine: "packaged", n: 3}}
	if b.before != "" {
		entries = append(entries, entry{engine: "before", n: 1}, entry{engine: "before", n: 3})
	}
	var loads []load
	for _, q := range quietRates {
		loads = append(loads, onSchedule(q.rate, time.Duration(q.turns*float64(b.plan.turn))))
	}
	t := table{
		title: "What a query costs at ordinary rates",
		note: "Upstreams take 5, 15 and 40 ms. Switches are those of all threads, voluntary or not. Ratios are those to " + baseline + ",\n" +
			"over the upstream of 5 ms. Packaged is dnsmus in the Corefile of the packages, but for links.",
		head: []string{"upstreams", "queries/s", "server", "switches/query", "ratio", "CPU us/query", "ratio", "p50 ms", "lost"},
	}
	for _, k := range []kind{good, nxdomain} {
		specs := []string{k.String() + ",delay=5ms", k.String() + ",delay=15ms", k.String() + ",delay=40ms"}
		err := b.with(specs, entries, func(servers []*server) error {
			if err := b.warm(servers); err != nil {
				return err
			}
			results, err := b.turns(servers, loads...)
			if err != nil {
				return err
			}
			for i, q := range quietRates {
				base := results[baseline][i]
				for _, s := range servers {
					r := results[s.name][i]
					switches, cpu := figure(r, switchesPerAnswer), figure(r, perAnswer)
					more, dearer := switches.over(figure(base, switchesPerAnswer)), cpu.over(figure(base, perAnswer))
					t.add(k, q.rate, s.name, switches.text(1), more.text(2), cpu.text(0), dearer.text(2), figure(r, p50).text(1), figure(r, lost).sum())
					if s.name == "dnsmus 3" {
						what, goal := fmt.Sprintf("a query at %d/s, %s, 3 upstreams / %s", q.rate, k, baseline), q.goals[k]
						b.report.goal("Switches "+what, fmt.Sprintf("<= %.2f", goal.switches), more.text(2), more.median() <= goal.switches)
						b.report.goal("CPU "+what, fmt.Sprintf("<= %.2f", goal.cpu), dearer.text(2), dearer.median() <= goal.cpu)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.report.table(t)
	return b.quietTrace()
}

// What a household or an office asks for: few names often, at quietTraceRate queries a second.
const (
	quietTraceRate  = 50
	quietTraceNames = 1000
	quietTraceGoal  = 1.1 // the most CPU that the packages' Corefile is to take, to *cache* above forward
)

// quietTrace is what a query costs at an ordinary rate where most replies are kept.
func (b *bench) quietTrace() error {
	specs := []string{"good,ttl=60,delay=5ms", "good,ttl=60,delay=15ms", "good,ttl=60,delay=40ms"}
	return b.with(specs, []entry{cacheAbove("forward"), {engine: "packaged", n: 3}}, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		trace := onSchedule(quietTraceRate, 5*b.plan.turn)
		trace.Names = quietTraceNames
		results, err := b.turns(servers, trace)
		if err != nil {
			return err
		}
		t := table{
			title: "What a query of a trace costs at an ordinary rate",
			note: fmt.Sprintf("%d queries a second for %d names, the first asked for most often, that live for 60 s. Ratios are those to *cache* above forward,\n"+
				"over the upstream of 5 ms; packaged has those of 15 and 40 ms, too.", quietTraceRate, quietTraceNames),
			head: []string{"server", "switches/query", "ratio", "CPU us/query", "ratio", "p50 ms", "lost"},
		}
		base := results[servers[0].name][0]
		var dearer series
		for _, s := range servers {
			r := results[s.name][0]
			switches, cpu := figure(r, switchesPerAnswer), figure(r, perAnswer)
			dearer = cpu.over(figure(base, perAnswer))
			t.add(s.name, switches.text(1), switches.over(figure(base, switchesPerAnswer)).text(2), cpu.text(0), dearer.text(2), figure(r, p50).text(1), figure(r, lost).sum())
		}
		b.report.goal("CPU a query of a trace at 50/s, packaged / *cache* above forward", fmt.Sprintf("<= %.2f", quietTraceGoal), dearer.text(2), dearer.median() <= quietTraceGoal)
		b.report.table(t)
		return nil
	})
}
