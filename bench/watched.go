//go:build linux

package main

import "fmt"

// watched is what a control socket costs in processor time, where somebody reads all events and where nobody does: at a steady
// rate, and where there is hardly anything to do, so that each thread that wakes up shows.
func (b *bench) watched() error {
	entries := []entry{{engine: "packaged", n: 3}, {engine: "told", n: 3}, {engine: "watched", n: 3}}
	return b.with(repeat("good", 3), entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		results, err := b.turns(servers, onSchedule(5000, b.plan.turn), onSchedule(20, b.plan.turn))
		if err != nil {
			return err
		}
		t := table{
			title: "CPU a query with a control socket",
			note:  "The packages' stanza without and with `control`, at 5,000 queries/s and at 20; watched: one reader of all events.",
			head:  []string{"server", "CPU us/query", "ratio", "p99 ms", "ratio", "lost", "races read", "at 20/s: CPU us/query", "ratio"},
		}
		base := results[entries[0].String()]
		for i, s := range servers {
			busy, idle := results[s.name][0], results[s.name][1]
			cpu, slow := figure(busy, perAnswer), figure(busy, p99)
			ratio := cpu.over(figure(base[0], perAnswer))
			t.add(s.name, cpu.text(1), ratio.text(2), slow.text(2), slow.over(figure(base[0], p99)).text(2), figure(busy, lost).sum(), s.eventsRead.Load(),
				figure(idle, perAnswer).text(1), figure(idle, perAnswer).over(figure(base[1], perAnswer)).text(2))
			if entries[i].engine == "watched" {
				b.report.goal("CPU a query, watched / without a control socket", "<= 1.05", ratio.text(2), ratio.median() <= 1.05)
			}
			if n := s.eventsLost.Load(); n > 0 {
				b.report.goal("gaps in the events of a reader", "0", fmt.Sprint(n), false)
			}
			if n := figure(busy, lost).sum(); n > 0 {
				b.report.goal("queries lost with a control socket", "0", fmt.Sprint(n), false)
			}
		}
		b.report.table(t)
		return nil
	})
}
