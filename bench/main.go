//go:build linux

// Command bench measures dnsmus side by side with stock forward and dnsmasq, on
// loopback, in one run in which the servers take turns. See README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	ctx     context.Context
	dir     string   // for files of the run
	coredns string   // the command under test
	before  string   // another build of it, to compare with; empty: none
	dnsmasq string   // empty: not installed
	wrap    []string // a command that runs CoreDNS; empty: none does
	plan    plan
	fakes   *fakes // of the scenario under way
	first   uint32 // number of the next load's first query
	report  report
}

// plan says how long is measured. What is asked is the same in every run.
type plan struct {
	rounds int           // of turns
	turn   time.Duration // of a server in a round
	single time.Duration // where they do not take turns
	hole   time.Duration // beside a black hole
	loss   time.Duration // with packets lost
	alone  bool          // no rivals there
}

var (
	fullPlan  = plan{rounds: 5, turn: 2 * time.Second, single: 5 * time.Second, hole: 20 * time.Second, loss: 20 * time.Second}
	quickPlan = plan{rounds: 1, turn: 400 * time.Millisecond, single: 500 * time.Millisecond, hole: 2 * time.Second, loss: time.Second,
		alone: true}
)

// maxRun bounds a run that went wrong.
const maxRun = 40 * time.Minute

func main() {
	if hidden, err := runSelf(os.Args[1:]); hidden {
		exitOn(err)
		return
	}
	out := flag.String("o", "", "write report.md and plots into `DIR`, such as bench/results")
	before := flag.String("before", "", "compare with another build of the command, `FILE`, in scenarios cpu, instructions, quiet, idle and tcp")
	quick := flag.Bool("quick", false, "measure for less than a minute, to see that all works")
	run := flag.String("run", "", "run only scenarios whose name matches `REGEXP`")
	flag.Parse()
	only, err := regexp.Compile(*run)
	exitOn(err)

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, maxRun)
	defer cancel()
	b := &bench{ctx: ctx, plan: fullPlan, before: *before}
	if *quick {
		b.plan = quickPlan
	}
	exitOn(b.all(only, *out))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// all runs the scenarios with matching names, and prints what they found.
func (b *bench) all(only *regexp.Regexp, out string) error {
	dir, err := os.MkdirTemp("", "dnsmus-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := b.build(dir); err != nil {
		return err
	}
	b.report.begin(b)
	ran := false
	for _, s := range scenarios {
		if !only.MatchString(s.name) || s.named && only.String() == "" {
			continue
		}
		ran = true
		fmt.Fprintf(os.Stderr, "%s ...", s.name)
		start := time.Now()
		if err := s.run(b); err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, " %v\n", time.Since(start).Round(time.Second))
	}
	if !ran {
		return fmt.Errorf("no scenario has a name that matches %q", only)
	}
	b.report.end()
	if out == "" {
		return nil
	}
	return b.report.save(out)
}

// build makes the command under test and looks for its rival.
func (b *bench) build(dir string) error {
	b.dir, b.coredns = dir, filepath.Join(dir, "coredns")
	cmd := exec.CommandContext(b.ctx, "go", "build", "-o", b.coredns, "github.com/dnsmus/dnsmus/cmd/coredns")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, text)
	}
	b.dnsmasq = findDnsmasq()
	return nil
}

// findDnsmasq looks beside PATH too, which seldom has sbin for users.
func findDnsmasq() string {
	for _, name := range []string{"dnsmasq", "/usr/sbin/dnsmasq"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}
