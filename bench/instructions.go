//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// counting is how a server runs whose instructions are counted: without garbage collection,
// which takes turns of its own, and does not change then with how large stacks are at first.
// What it costs goes with the bytes that are allocated.
var counting = []string{"GODEBUG=asyncpreemptoff=1", "GOMAXPROCS=1", "GOGC=off"}

// valgrind is the command that counts.
var valgrind = []string{"valgrind", "--tool=cachegrind", "--cache-sim=no", "--branch-sim=no", "--cachegrind-out-file=/dev/null"}

// mostMore is how much more of either a query may take than before.
const mostMore = 1.02

// instructions is what a query costs in what does not hang on the machine: instructions that the
// server itself executes, counted by valgrind, and bytes that it allocates. They show
// differences of a few percent, on a busy machine too, which processor time does not.
func (b *bench) instructions() error {
	t := table{
		title: "Instructions and bytes a query",
		note:  "Of the server itself, instructions without the kernel and without garbage collection.",
		head:  []string{"server", "instructions", "/ before", "bytes allocated", "/ before"},
	}
	if _, err := exec.LookPath(valgrind[0]); err != nil {
		t.note = "Not counted: valgrind is not installed."
		b.report.table(t)
		return nil
	}
	fakes, err := startFakes(b.ctx, repeat("good", 3)...)
	if err != nil {
		return err
	}
	defer fakes.stop()
	b.fakes = fakes
	for _, e := range []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}, {engine: "dnsmus", n: 3}, {engine: "dnsmus", n: 3, above: usual}} {
		now, err := b.countQuery(e, 0)
		if err != nil {
			return err
		}
		if b.before == "" || e.engine != "dnsmus" {
			t.add(e.String(), fmt.Sprintf("%.0f", now.instructions), "-", fmt.Sprintf("%.0f", now.bytes), "-")
			continue
		}
		old := e
		old.engine = "before"
		was, err := b.countQuery(old, 0)
		if err != nil {
			return err
		}
		more, bytes := now.instructions/was.instructions, now.bytes/was.bytes
		t.add(e.String(), fmt.Sprintf("%.0f", now.instructions), fmt.Sprintf("%.3f", more), fmt.Sprintf("%.0f", now.bytes), fmt.Sprintf("%.3f", bytes))
		b.report.goal("instructions a query / before, "+e.String(), fmt.Sprintf("<= %.2f", mostMore), fmt.Sprintf("%.3f", more), more <= mostMore)
		b.report.goal("bytes a query / before, "+e.String(), fmt.Sprintf("<= %.2f", mostMore), fmt.Sprintf("%.3f", bytes), bytes <= mostMore)
	}
	b.report.table(t)
	return b.countKept()
}

// countKept counts what queries cost where replies are kept, beside *cache* above forward.
func (b *bench) countKept() error {
	t := table{
		title: "Instructions and bytes a query with replies that are kept",
		note:  "A hit is a name that is asked for all the time, a miss one that is asked for once. Ratios are those to *cache* above forward.",
		head:  []string{"server", "hit: instructions", "ratio", "bytes", "ratio", "miss: instructions", "ratio", "bytes", "ratio"},
	}
	var base [2]counted
	for i, e := range []entry{cacheAbove("forward"), {engine: "kept", n: 1}, cacheAbove("dnsmus")} {
		row := []any{e.String()}
		for j, names := range []int{oneName, 0} {
			c, err := b.countQuery(e, names)
			if err != nil {
				return err
			}
			if i == 0 {
				base[j] = c
			}
			row = append(row, fmt.Sprintf("%.0f", c.instructions), fmt.Sprintf("%.2f", c.instructions/base[j].instructions),
				fmt.Sprintf("%.0f", c.bytes), fmt.Sprintf("%.2f", c.bytes/base[j].bytes))
		}
		t.add(row...)
	}
	b.report.table(t)
	return nil
}

// counted is what a query costs.
type counted struct {
	instructions, bytes float64
}

// countQuery counts what a query for one of so many names costs a server; 0: no name is asked for
// twice. For its instructions the server runs twice, and
// the second time longer, so that what it does once is in both.
func (b *bench) countQuery(e entry, names int) (c counted, err error) {
	if c.bytes, err = b.bytesOf(e, names); err != nil {
		return c, err
	}
	b.wrap = valgrind
	defer func() { b.wrap = nil }()
	var instructions, queries [2]float64
	for i, long := range []time.Duration{b.plan.turn, 5 * b.plan.turn} {
		s, err := b.startServer(e, b.fakes.addrs[:e.n])
		if err != nil {
			return c, err
		}
		l := flatOut(long)
		l.Timeout, l.Names = clientPatience, names
		r, err := b.measure(s, l)
		s.stop()
		if err != nil {
			return c, err
		}
		if r.Lost > 0 || r.Strange > 0 {
			return c, fmt.Errorf("%s lost %d queries, and %d replies are strange", e, r.Lost, r.Strange)
		}
		queries[i] = float64(r.Answered)
		if instructions[i], err = numberAfter(`I +refs: +([\d,]+)`, s.log.String()); err != nil {
			return c, err
		}
	}
	n := queries[1] - queries[0]
	if n <= 0 {
		return c, errors.New("the machine is too busy for the longer load to be the larger one")
	}
	c.instructions = (instructions[1] - instructions[0]) / n
	return c, nil
}

// bytesOf is how many bytes a server allocates a query, once it is warm.
func (b *bench) bytesOf(e entry, names int) (float64, error) {
	s, err := b.startServer(e, b.fakes.addrs[:e.n])
	if err != nil {
		return 0, err
	}
	defer s.stop()
	if err := b.warm([]*server{s}); err != nil {
		return 0, err
	}
	before, err := s.allocated()
	if err != nil {
		return 0, err
	}
	l := flatOut(b.plan.turn)
	l.Names = names
	r, err := b.measure(s, l)
	if err != nil {
		return 0, err
	}
	after, err := s.allocated()
	return (after - before) / float64(max(r.Answered, 1)), err
}

// allocated is how many bytes s has allocated since it started.
func (s *server) allocated() (float64, error) {
	resp, err := http.Get("http://" + s.pprof + "/debug/pprof/heap?debug=1")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return numberAfter(`# TotalAlloc = (\d+)`, string(text))
}

// numberAfter is the number that a pattern finds in a text; it may have commas.
func numberAfter(pattern, text string) (float64, error) {
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("nothing like %s in %q", pattern, text)
	}
	return strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
}
