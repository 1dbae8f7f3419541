//go:build linux

package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
)

// zipfLine is what the test prints.
var zipfLine = regexp.MustCompile(`: (A.*): (\d+) queries an hour .*, (\d+) with negative_ttl`)

// zipf counts what upstreams are asked below a cache, as the test of the handler does in
// virtual time: nothing here depends on the machine.
func (b *bench) zipf() error {
	const mostOften = 1.5
	cmd := exec.CommandContext(b.ctx, "go", "test", "-count=1", "-v", "-run", "^TestZipf$", "github.com/dnsmus/dnsmus/plugin/handler")
	out, err := cmd.CombinedOutput()
	lines := zipfLine.FindAllSubmatch(out, -1)
	if len(lines) == 0 {
		return fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	t := table{
		title: "Upstream queries an hour below cache",
		note:  "Each second one of 10,000 names is looked up, first in a search domain. TTLs and SOA are 300 s.",
		head:  []string{"types", "denials live as long as answers", "negative_ttl 5s", "ratio"},
	}
	for _, l := range lines {
		before, _ := strconv.Atoi(string(l[2]))
		now, _ := strconv.Atoi(string(l[3]))
		ratio := float64(now) / float64(max(before, 1))
		t.add(string(l[1]), before, now, fmt.Sprintf("%.2f", ratio))
		b.report.goal("Zipf: upstream queries below cache, negative_ttl 5s / 300s, "+string(l[1]), fmt.Sprint(mostOften), fmt.Sprintf("%.2f", ratio), ratio <= mostOften)
	}
	b.report.table(t)
	return nil
}
