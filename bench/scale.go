//go:build linux

package main

import (
	"fmt"
	"path/filepath"
	"time"
)

// scale shows that nothing grows faster than the work: by upstreams, by clients, over UDP,
// TCP and TLS, and by listening sockets.
func (b *bench) scale() error {
	if err := writeCert(b.dir); err != nil {
		return err
	}
	for _, part := range []func(*bench) error{(*bench).scaleUpstreams, (*bench).scaleClients, (*bench).scaleSockets} {
		if err := part(b); err != nil {
			return err
		}
	}
	return nil
}

// scaleHead are the columns of what a server took.
var scaleHead = []string{"queries/s", "CPU us/query", "lost", "strange", "fds", "goroutines (most)", "peak RSS MB"}

// scaleRow measures s, then counts what it holds under the same load.
func (b *bench) scaleRow(s *server, l load) (row []any, rounds []result, err error) {
	for range b.plan.rounds {
		r, err := b.measure(s, l)
		if err != nil {
			return nil, nil, err
		}
		rounds = append(rounds, r)
	}
	stop := s.watch()
	_, err = b.measure(s, l)
	stop()
	return []any{figure(rounds, perSecond).text(0), figure(rounds, perAnswer).text(1), figure(rounds, lost).sum(),
		figure(rounds, strange).sum(), s.maxFDs, s.goroutinesText(), megabytes(s.peakRSS())}, rounds, err
}

// scaleUpstreams asks from one to 50 upstreams, in plain DNS and over TLS.
func (b *bench) scaleUpstreams() error {
	t := table{title: "Scale: upstreams", note: "All know the name. The last column is what each upstream but the first adds.",
		head: append(append([]string{"upstreams", "over"}, scaleHead...), "us/upstream")}
	for _, kind := range []struct {
		over, spec string
		counts     []int
	}{
		{"UDP", "good", []int{1, 2, 3, 5, 10, 20, 50}},
		{"TLS", "good,over=tls,certs=" + b.dir, []int{1, 2, 3, 5}},
	} {
		cost := make(map[int]float64)
		for _, n := range kind.counts {
			err := b.with(repeat(kind.spec, n), []entry{{engine: "dnsmus", n: n}}, func(servers []*server) error {
				if err := b.warm(servers); err != nil {
					return err
				}
				row, rounds, err := b.scaleRow(servers[0], flatOut(b.plan.turn/2))
				if err != nil {
					return err
				}
				cost[n] = figure(rounds, perAnswer).median()
				each := "-"
				if n > 1 {
					each = fmt.Sprintf("%.1f", (cost[n]-cost[1])/float64(n-1))
				}
				t.add(append(append([]any{n, kind.over}, row...), each)...)
				return nil
			})
			if err != nil {
				return err
			}
		}
		if kind.over == "UDP" {
			few, many := (cost[20]-cost[10])/10, (cost[50]-cost[20])/30 // of fewer the differences are lost in the noise
			b.report.goal("CPU of each upstream from the 20th to the 50th / from the 10th to the 20th", "<= 1.20", fmt.Sprintf("%.2f", many/few), many <= 1.2*few)
		}
	}
	b.report.table(t)
	return nil
}

// scaleClients asks for one to 10,000 clients, of which 128 wait at a time.
func (b *bench) scaleClients() error {
	t := table{title: "Scale: clients", note: "Each with a socket or connection of its own; up to 128 wait for an answer at a time. Three upstreams.",
		head: append([]string{"server", "clients", "over"}, scaleHead...)}
	secret := "tls " + filepath.Join(b.dir, certFile) + " " + filepath.Join(b.dir, keyFile) + "\n"
	for _, over := range []struct {
		name    string
		entries []entry
		clients []int
	}{
		{"udp", []entry{{engine: "forward", n: 3}, {engine: "dnsmus", n: 3}}, []int{1, 100, 1000, maxMembers}},
		{"tcp", []entry{{engine: "forward", n: 3}, {engine: "dnsmus", n: 3}}, []int{1, 100, 1000, maxMembers}},
		{"tls", []entry{{engine: "forward", n: 3, above: secret, scheme: "tls://", name: "forward 3"}, {engine: "dnsmus", n: 3, above: secret, scheme: "tls://", name: "dnsmus 3"}}, []int{1, 100, 1000}},
	} {
		for _, n := range over.clients {
			cost := make(map[string]float64)
			err := b.with(repeat("good", 3), over.entries, func(servers []*server) error {
				for _, s := range servers {
					l := load{For: b.plan.turn / 2, Timeout: 5 * time.Second, Clients: n, Over: over.name}
					if _, err := b.measure(s, l); err != nil { // a server closes connections that are idle for some seconds
						return err
					}
					row, rounds, err := b.scaleRow(s, l)
					if err != nil {
						return err
					}
					cost[s.name] = figure(rounds, perAnswer).median()
					t.add(append([]any{s.name, n, over.name}, row...)...)
				}
				return nil
			})
			if err != nil {
				return err
			}
			if ratio := cost["dnsmus 3"] / cost["forward 3"]; n >= 1000 {
				b.report.goal(fmt.Sprintf("CPU a query for %d clients over %s, 3 upstreams / forward 3", n, over.name), "<= 1.20",
					fmt.Sprintf("%.2f", ratio), ratio <= 1.2)
			}
		}
	}
	b.report.table(t)
	return nil
}

// scaleSockets listens on several sockets.
func (b *bench) scaleSockets() error {
	t := table{title: "Scale: listening sockets", note: "With multisocket, and three upstreams. Ratios are to forward with as many sockets, round by round.",
		head: []string{"sockets", "server", "queries/s", "CPU us/query", "ratio", "lost", "fds", "goroutines (most)", "peak RSS MB"}}
	for _, n := range []int{1, 2, 4} {
		above := fmt.Sprintf("multisocket %d\n", n)
		entries := []entry{{engine: "forward", n: 1, above: above, name: "forward 1"}, {engine: "dnsmus", n: 3, above: above, name: "dnsmus 3"}}
		err := b.with(repeat("good", 3), entries, func(servers []*server) error {
			if err := b.warm(servers); err != nil {
				return err
			}
			results, err := b.turns(servers, flatOut(b.plan.turn/2))
			if err != nil {
				return err
			}
			if err := b.count(servers); err != nil {
				return err
			}
			base := figure(results[baseline][0], perAnswer)
			for _, s := range servers {
				r := results[s.name][0]
				cpu := figure(r, perAnswer)
				t.add(n, s.name, figure(r, perSecond).text(0), cpu.text(1), cpu.over(base).text(2), figure(r, lost).sum(),
					s.maxFDs, s.goroutinesText(), megabytes(s.peakRSS()))
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
