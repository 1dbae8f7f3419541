//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	settled  = 14 * time.Second // after the last query, when all ports of dnsmus are closed
	lookTime = 15 * time.Second // in which each server does all that it does now and then
)

// idle is what a server costs that nobody asks: thread switches a second, and CPU while
// somebody writes a log beside the list of upstreams.
func (b *bench) idle() error {
	f, err := startFakes(b.ctx, repeat("good", 3)...)
	if err != nil {
		return err
	}
	defer f.stop()
	b.fakes = f
	dir := filepath.Join(b.dir, "idle")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	list := filepath.Join(dir, "list")
	var lines string
	for _, addr := range f.addrs {
		host, port, _ := strings.Cut(addr, ":")
		lines += fmt.Sprintf("nameserver %s:%s\n", host, port)
	}
	if err := os.WriteFile(list, []byte(lines), 0o644); err != nil {
		return err
	}
	runs := []idleRun{
		{e: entry{engine: "whoami"}},
		{e: entry{engine: "forward", name: "forward, 3 addresses"}, to: f.addrs},
		{e: entry{engine: "dnsmus", name: "dnsmus, 3 addresses"}, to: f.addrs},
		{e: entry{engine: "dnsmus", name: "dnsmus, a file"}, to: []string{list}},
		{e: entry{engine: "dnsmus", name: "dnsmus, a file and links"}, to: []string{list, "links"}},
	}
	if b.before != "" {
		runs = append(runs, idleRun{e: entry{engine: "before", name: "before, a file"}, to: []string{list}},
			idleRun{e: entry{engine: "before", name: "before, a file and links"}, to: []string{list, "links"}})
	}
	for i := range runs {
		r := &runs[i]
		if r.s, err = b.startServer(r.e, r.to); err != nil {
			return err
		}
		defer r.s.stop()
		// Sources are followed from the first query on.
		if _, err := b.measure(r.s, onSchedule(50, b.plan.turn/2)); err != nil {
			return err
		}
	}
	rounds, during := quietRounds, lookTime
	if b.plan.alone {
		rounds, during = 1, b.plan.turn
	} else {
		time.Sleep(settled)
	}
	for range rounds { // all at the same time: none of them does much
		b.watchIdle(runs, during, func(r *idleRun, _ float64, switches float64) { r.switches = append(r.switches, switches) })
	}
	for _, where := range []string{dir, b.dir} {
		stop, err := writeLog(filepath.Join(where, "log"), time.Second/1600)
		if err != nil {
			return err
		}
		b.watchIdle(runs, 2*b.plan.turn, func(r *idleRun, cpu, _ float64) { r.busy = append(r.busy, 100*cpu) })
		stop()
	}
	t := table{
		title: "A server that nobody asks",
		note: "Thread switches a second, and of a core while a log is written 1,600 times a second beside the list of upstreams, and\n" +
			"in the directory above. Links are the resolvers that the system knows: " + knowsResolvers() + ".",
		head: []string{"server", "switches/s", "above whoami", "log beside, % of a core", "log above it, %"},
	}
	base := runs[0].switches
	for _, r := range runs {
		above := r.switches.minus(base)
		t.add(r.s.name, r.switches.text(1), above.text(1), fmt.Sprintf("%.2f", r.busy[0]), fmt.Sprintf("%.2f", r.busy[1]))
		if r.e.engine == "dnsmus" && r.to[0] == list {
			b.report.goal("Idle, switches a second above whoami: "+r.s.name, "<= 1.0", above.text(1), above.median() <= 1)
			b.report.goal("A log beside the list, of a core: "+r.s.name, "<= 1 %", fmt.Sprintf("%.2f %%", r.busy[0]), r.busy[0] <= 1)
		}
	}
	b.report.table(t)
	return nil
}

// idleRun is a server that is looked at while nobody asks it.
type idleRun struct {
	e        entry
	to       []string
	s        *server
	switches series // a second
	busy     series // per cent of a core, with a log beside the list and above it
}

// watchIdle has took told what each server does for a while: of a core, and in thread switches
// a second.
func (b *bench) watchIdle(runs []idleRun, during time.Duration, took func(r *idleRun, cpu, switches float64)) {
	type state struct {
		cpu      time.Duration
		switches int
	}
	now := func() (all []state) {
		for _, r := range runs {
			all = append(all, state{r.s.cpu(), r.s.switches()})
		}
		return all
	}
	before := now()
	time.Sleep(during)
	for i, after := range now() {
		took(&runs[i], (after.cpu-before[i].cpu).Seconds()/during.Seconds(), float64(after.switches-before[i].switches)/during.Seconds())
	}
}

// writeLog appends a line to a file again and again, until stop is called.
func writeLog(name string, every time.Duration) (stop func(), err error) {
	log, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer log.Close()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fmt.Fprintln(log, "a line as programs write it, with a time and some words")
			}
		}
	}()
	return func() { close(done); <-ended }, nil
}

// knowsResolvers names what of this system may know resolvers.
func knowsResolvers() string {
	var all []string
	for _, at := range [][2]string{{"D-Bus", "/run/dbus/system_bus_socket"}, {"resolvconf", "/run/resolvconf"}} {
		if _, err := os.Stat(at[1]); err == nil || at[0] == "D-Bus" && os.Getenv("DBUS_SYSTEM_BUS_ADDRESS") != "" {
			all = append(all, at[0])
		}
	}
	if all == nil {
		return "here nothing does"
	}
	return "here " + strings.Join(all, " and ") + " may"
}
