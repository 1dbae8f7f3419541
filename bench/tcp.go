//go:build linux

package main

import (
	"fmt"
	"time"
)

// tcpGoal is the most that dnsmus with three upstreams is to cost for a client on TCP, to forward
// with one.
const tcpGoal = 1.5

// tcp is what a query costs that comes over TCP from a single client, and so is asked over TCP:
// of each upstream, so most of it is what the system takes to write and to wake up.
func (b *bench) tcp() error {
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 3}, {engine: "over UDP", n: 3}}
	if b.before != "" {
		entries = append(entries, entry{engine: "before", n: 1}, entry{engine: "before", n: 3})
	}
	ways := []struct {
		name  string
		ahead int
	}{{"waits", 1}, {"sends ahead", 8}}
	var loads []load
	for _, way := range ways {
		loads = append(loads, load{For: b.plan.turn / 2, Timeout: clientPatience, Clients: 1, Over: "tcp", Ahead: way.ahead})
	}
	t := table{
		title: "One client on one TCP connection",
		note: fmt.Sprintf("It waits for each reply, or has %d queries under way. Ratios are those to %s. Over UDP is dnsmus with prefer_udp.",
			ways[1].ahead, baseline),
		head: []string{"client", "server", "queries/s", "CPU us/query", "ratio", "switches/query", "system calls a query", "p50 us", "lost"},
	}
	err := b.with(repeat("good", 3), entries, func(servers []*server) error {
		results, err := b.turns(servers, loads...)
		if err != nil {
			return err
		}
		for i, way := range ways {
			base := figure(results[baseline][i], perAnswer)
			for _, s := range servers {
				r := results[s.name][i]
				calls, err := b.systemCalls(s, loads[i])
				if err != nil {
					return err
				}
				cpu := figure(r, perAnswer)
				t.add(way.name, s.name, figure(r, perSecond).text(0), cpu.text(1), cpu.over(base).text(2), figure(r, switchesPerAnswer).text(1),
					calls, figure(r, func(r result) float64 { return float64(r.P50) / float64(time.Microsecond) }).text(0), figure(r, lost).sum())
				if s.name == "dnsmus 3" {
					ratio := cpu.over(base)
					b.report.goal(fmt.Sprintf("CPU a query, a client on TCP that %s, 3 upstreams / %s", way.name, baseline),
						fmt.Sprintf("<= %.2f", tcpGoal), ratio.text(2), ratio.median() <= tcpGoal)
				}
			}
		}
		return nil
	})
	b.report.table(t)
	return err
}
