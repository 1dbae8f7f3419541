//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// commandRuns is how often a command is run.
const commandRuns = 31

// commandGoal is how long status --short may take, for it stands in prompts and bars.
const commandGoal = 30 * time.Millisecond

// commands is how long commands take that ask a server over its control socket, from their start
// to their end.
func (b *bench) commands() error {
	t := table{
		title: "Commands that ask a running server",
		note:  fmt.Sprintf("From start to end, of %d runs one after another.", commandRuns),
		head:  []string{"command", "p50 ms", "longest ms"},
	}
	err := b.with([]string{"good", "good", "good"}, []entry{{engine: "told", n: 3}}, func(servers []*server) error {
		if err := b.warm(servers); err != nil {
			return err
		}
		for _, args := range [][]string{{"status", "--short"}, {"status"}, {"zones"}, {"why", "nobody.example"}} {
			took, err := b.timeCommand(servers[0], args)
			if err != nil {
				return err
			}
			median := took[len(took)/2]
			t.add(strings.Join(args, " "), ms(median), ms(took[len(took)-1]))
			if len(args) == 2 && args[1] == "--short" {
				b.report.goal("status --short, p50", fmt.Sprintf("< %v", commandGoal), median.Round(100*time.Microsecond).String(), median < commandGoal)
			}
		}
		return nil
	})
	b.report.table(t)
	return err
}

// timeCommand returns how long the runs of a command took, from the shortest to the longest.
func (b *bench) timeCommand(s *server, args []string) (took []time.Duration, err error) {
	for range commandRuns {
		cmd := child(b.ctx, b.coredns, args...)
		cmd.Env = append(os.Environ(), "DNSMUS_CONTROL="+s.socket(b.dir))
		begun := time.Now()
		err := cmd.Run()
		took = append(took, time.Since(begun))
		if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() > 4 { // which is how upstreams and names fare
			return nil, fmt.Errorf("%v: %w", args, err)
		}
	}
	slices.Sort(took)
	return took, nil
}
