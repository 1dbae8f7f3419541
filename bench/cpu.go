//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// usual are plugins that stand above in most server blocks. No name is asked for twice,
// so the cache costs, and spares nothing.
const usual = "errors\n\tprometheus 127.0.0.1:0\n\tcache 30\n"

// cpuGoals are ratios of processor time to what forward takes with one upstream.
var cpuGoals = []struct {
	entry entry
	plain bool // clients without EDNS
	goal  float64
}{
	{entry: entry{engine: "dnsmus", n: 3}, plain: true, goal: 0.85},
	{entry: entry{engine: "dnsmus", n: 3}, goal: 0.9},
	{entry: entry{engine: "dnsmus", n: 3, above: usual}, goal: 0.95},
	{entry: entry{engine: "dnsmus", n: 1}, goal: 0.7},
}

// cpuRatios is what a query costs at full load, and where the ratios to forward come from:
// servers take turns, forward among them, and what a round gives is compared within it.
func (b *bench) cpuRatios() error {
	entries := []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 2}, {engine: "dnsmus", n: 3},
		{engine: "dnsmus", n: 5}, {engine: "bound", n: 3}, {engine: "forward", n: 1, above: usual}, {engine: "dnsmus", n: 3, above: usual}}
	if b.before != "" {
		entries = append(entries, entry{engine: "before", n: 1}, entry{engine: "before", n: 3}, entry{engine: "before", n: 3, above: usual})
	}
	return b.with(repeat("good", 5), entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		edns, plain := flatOut(b.plan.turn/4), flatOut(b.plan.turn/4)
		plain.Plain = true
		results, err := b.turns(servers, edns, plain)
		if err != nil {
			return err
		}
		t := table{
			title: "CPU a query at full load",
			note:  "Clients with EDNS; in the last two columns, without. Ratios are those to forward with 1 upstream and the same above.",
			head:  []string{"server", "CPU us/query", "ratio", "lost", "system calls a query", "without EDNS: us/query", "ratio"},
		}
		bars := barChart{title: "CPU per query at full load, forward with 1 upstream = 1", mark: 1}
		ratios := make(map[string][2]series)
		slopes := make(map[int]float64)
		for i, s := range servers {
			e := entries[i]
			base := results[entry{engine: "forward", n: 1, above: e.above}.String()]
			var cpu, ratio [2]series
			for j := range cpu {
				cpu[j] = figure(results[s.name][j], perAnswer)
				ratio[j] = cpu[j].over(figure(base[j], perAnswer))
			}
			ratios[s.name] = ratio
			if e.engine == "dnsmus" && e.above == "" {
				slopes[e.n] = cpu[0].median()
			}
			calls, err := b.systemCalls(s, flatOut(0))
			if err != nil {
				return err
			}
			t.add(s.name, cpu[0].text(1), ratio[0].text(2), figure(results[s.name][0], lost).sum(), calls, cpu[1].text(1), ratio[1].text(2))
			bars.add(s.name, ratio[0].median())
		}
		for _, g := range cpuGoals {
			what, ratio := "CPU a query, "+g.entry.String(), ratios[g.entry.String()][0]
			if g.plain {
				what, ratio = what+", clients without EDNS", ratios[g.entry.String()][1]
			}
			b.report.goal(what, fmt.Sprintf("<= %.2f", g.goal), ratio.text(2), ratio.median() <= g.goal)
		}
		further := slope(slopes)
		bound := figure(results["bound 3"][0], perAnswer).over(figure(results["dnsmus 3"][0], perAnswer))
		b.report.goal("CPU a query, 3 upstreams bound to a link / not bound", "<= 1.10", bound.text(2), bound.median() <= 1.1)
		b.report.goal("CPU of each further upstream", "<= 5.0 us", fmt.Sprintf("%.1f us", further), further <= 5)
		b.report.table(t)
		b.report.plot("cpu-ratio", bars.svg())
		return nil
	})
}

// systemCalls counts the system calls of s a query under a short load of a kind, by perf or strace, whichever is
// there and may; a dash if none does. Strace lowers the rate and so hides calls that
// find nothing.
func (b *bench) systemCalls(s *server, l load) (string, error) {
	l.For = 300 * time.Millisecond
	pid := strconv.Itoa(s.cmd.Process.Pid)
	for _, tool := range []struct {
		name  string
		args  []string
		count *regexp.Regexp
	}{
		{"perf", []string{"stat", "-x,", "-e", "raw_syscalls:sys_enter", "-p", pid}, regexp.MustCompile(`(?m)^(\d+),.*sys_enter`)},
		{"strace", []string{"-c", "-f", "-q", "-p", pid}, regexp.MustCompile(`(?m)^100.00 +\S+ +(?:\d+ +)?(\d+) .*total`)},
	} {
		path, err := exec.LookPath(tool.name)
		if err != nil {
			continue
		}
		cmd := child(b.ctx, path, tool.args...)
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			continue
		}
		time.Sleep(200 * time.Millisecond) // until it has attached
		r, err := b.measure(s, l)
		if err != nil {
			return "", err
		}
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		m := tool.count.FindStringSubmatch(out.String())
		if m == nil {
			continue
		}
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 {
			return fmt.Sprintf("%.1f (%s)", float64(n)/float64(max(r.Answered, 1)), tool.name), nil
		}
	}
	return "-", nil
}
