//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

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
