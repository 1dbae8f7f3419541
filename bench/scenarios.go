//go:build linux

package main

import (
	"fmt"
	"time"
)

// scenarios in the order in which they run.
var scenarios = []struct {
	name  string
	run   func(*bench) error
	named bool // it runs only if -run is given
}{
	{name: "cpu", run: (*bench).cpuRatios},
	{name: "instructions", run: (*bench).instructions, named: true},
	{name: "told", run: (*bench).told, named: true},
	{name: "watched", run: (*bench).watched, named: true},
	{name: "commands", run: (*bench).commands},
	{name: "cache", run: (*bench).cache},
	{name: "quiet", run: (*bench).quiet},
	{name: "idle", run: (*bench).idle},
	{name: "good", run: (*bench).allGood},
	{name: "nxdomain", run: (*bench).allDeny},
	{name: "late", run: (*bench).goodLater},
	{name: "blackhole", run: (*bench).blackHole},
	{name: "dead", run: (*bench).allDead},
	{name: "negative", run: (*bench).negative},
	{name: "loss", run: (*bench).loss},
	{name: "encrypted", run: (*bench).encrypted},
	{name: "tcp", run: (*bench).tcp},
	{name: "scale", run: (*bench).scale},
	{name: "world", run: (*bench).world},
	{name: "zipf", run: (*bench).zipf},
}

const (
	clientPatience = 5 * time.Second // what resolver libraries wait before they give up
	patience       = 2 * time.Second // the default of dnsmus
	probeEvery     = time.Second     // while an upstream is down
)

func flatOut(d time.Duration) load { return load{For: d, Timeout: time.Second} }

func onSchedule(rate int, d time.Duration) load {
	return load{Rate: rate, For: d, Timeout: clientPatience}
}

// entry is a server that takes part: an engine, asking the first so many of the
// scenario's fakes.
type entry struct {
	engine string
	n      int
	above  string // plugins above it, as in a Corefile
	scheme string // of the server block, as tls://; empty: plain DNS
	name   string // that it has in tables; empty: made of the others
}

func (e entry) String() string {
	if e.name != "" {
		return e.name
	}
	if e.above != "" {
		return fmt.Sprint(e.engine, " ", e.n, ", usual plugins")
	}
	if e.n == 0 {
		return e.engine
	}
	return fmt.Sprint(e.engine, " ", e.n)
}

// rivals leaves all but the first out of a run that has no time for them.
func (b *bench) rivals(entries ...entry) []entry {
	if b.plan.alone {
		return entries[:1]
	}
	return entries
}
