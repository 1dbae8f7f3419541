//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"time"
)

// Names of the scenario: one that is always kept, and a trace in which few are asked for often.
const (
	oneName    = 1
	traceNames = 10_000
)

// cacheGoals are what a query costs with the option cache, to *cache* above forward.
var cacheGoals = []struct {
	what string
	goal float64
}{{"a hit", 0.92}, {"a Zipf trace", 0.95}}

// maxKept is what 10,000 replies may take, in bytes.
const maxKept = 16 << 20

// cache is what the option cache costs, and the replies that are kept: beside the plugin of
// that name above forward.
func (b *bench) cache() error {
	entries := []entry{
		cacheAbove("forward"), {engine: "kept", n: 1}, {engine: "kept", n: 3}, {engine: "dnsmus", n: 1}, cacheAbove("dnsmus"),
	}
	return b.with([]string{"good,ttl=5", "good,ttl=5", "good,ttl=5"}, entries, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		hit, trace, miss := flatOut(b.plan.turn/2), flatOut(b.plan.turn/2), flatOut(b.plan.turn/2)
		hit.Names, trace.Names = oneName, traceNames
		results, err := b.turns(servers, hit, trace, miss)
		if err != nil {
			return err
		}
		t := table{
			title: "CPU a query with replies that are kept",
			note: fmt.Sprintf("At full load: one name, which is kept; a trace of %d names, the first asked for most often, that live for 5 s; and names that are asked for once. "+
				"Ratios are those to *cache* above forward.", traceNames),
			head: []string{"server", "hit: us/query", "ratio", "trace: us/query", "ratio", "miss: us/query", "ratio", "lost", "peak RSS MB"},
		}
		base := results[servers[0].name]
		ratios := make(map[string][]series)
		for _, s := range servers {
			row := []any{s.name}
			lostAll := 0.0
			for i, rounds := range results[s.name] {
				cpu := figure(rounds, perAnswer)
				ratio := cpu.over(figure(base[i], perAnswer))
				ratios[s.name] = append(ratios[s.name], ratio)
				row = append(row, cpu.text(1), ratio.text(2))
				for _, n := range figure(rounds, lost) {
					lostAll += n
				}
			}
			t.add(append(row, lostAll, megabytes(s.peakRSS()))...)
		}
		kept, below := entries[1].String(), entries[4].String()
		for i, g := range cacheGoals {
			ratio := ratios[kept][i]
			b.report.goal("CPU of "+g.what+", option cache / *cache* above forward", fmt.Sprintf("<= %.2f", g.goal), ratio.text(2), ratio.median() <= g.goal)
		}
		asked := figure(results[kept][2], perAnswer).over(figure(results[below][2], perAnswer))
		b.report.goal("CPU of a miss, option cache / below *cache*", "<= 1.02", asked.text(2), asked.median() <= 1.02)
		took := servers[1].peakRSS() - servers[3].peakRSS()
		b.report.goal("memory of 10,000 replies", "<= 16 MiB", megabytes(max(took, 0))+" MB", took <= maxKept)
		b.report.table(t)
		return nil
	})
}

// cacheAbove is a server with one upstream, and the plugin *cache* above.
func cacheAbove(engine string) entry {
	return entry{engine: engine, n: 1, above: "cache 3600\n", name: "cache above " + engine + " 1"}
}

// zipfNames draws numbers below n: the first most often, the second half as often, and so on.
type zipfNames struct {
	sums []float64
	rand *rand.Rand
}

func newZipfNames(n int) *zipfNames {
	z := &zipfNames{sums: make([]float64, n), rand: rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))}
	sum := 0.0
	for i := range z.sums {
		sum += 1 / float64(i+1)
		z.sums[i] = sum
	}
	return z
}

func (z *zipfNames) draw() uint32 {
	return uint32(sort.SearchFloat64s(z.sums, z.rand.Float64()*z.sums[len(z.sums)-1]))
}
