//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// report is what a run prints, and what it saves.
type report struct {
	text  bytes.Buffer
	goals table
	plots map[string]string // by file name, without extension
}

func (r *report) begin(b *bench) {
	r.plots = make(map[string]string)
	r.goals = table{title: "Goals", head: []string{"what", "goal", "got", ""}}
	r.print("# dnsmus side by side\n\n")
	r.print("%s, %d processors (%s), %s\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), cpuModel(), runtime.Version())
	if b.dnsmasq == "" {
		r.print("\ndnsmasq is not installed, so it is left out.\n")
	} else {
		out, _ := exec.Command(b.dnsmasq, "--version").Output()
		line, _, _ := strings.Cut(string(out), "  ")
		r.print("%s\n", line)
	}
	r.print("\nThe number after a server's name is that of its upstreams.\n")
	if b.plan.rounds > 1 {
		r.print("A figure with parentheses is the median of %d rounds, with the lowest and the highest;\n"+
			"a ratio is taken within each round.\n", b.plan.rounds)
	}
}

func (r *report) end() {
	if len(r.goals.rows) > 0 {
		r.table(r.goals)
	}
}

// save writes the report and its plots.
func (r *report) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, svg := range r.plots {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "report.md"), r.text.Bytes(), 0o644)
}

func (r *report) print(format string, args ...any) {
	fmt.Fprintf(io.MultiWriter(&r.text, os.Stdout), format, args...)
}

func (r *report) table(t table) { r.print("\n%s", t) }

// goal notes what was to be reached, and what was.
func (r *report) goal(what, goal, got string, met bool) {
	verdict := "missed"
	if met {
		verdict = "met"
	}
	r.goals.add(what, goal, got, verdict)
}

func (r *report) plot(name, svg string) { r.plots[name] = svg }

// table is a Markdown table that reads well as it is.
type table struct {
	title, note string
	head        []string
	rows        [][]string
}

func (t *table) add(cells ...any) {
	var row []string
	for _, c := range cells {
		row = append(row, fmt.Sprint(c))
	}
	t.rows = append(t.rows, row)
}

func (t table) String() string {
	rule := make([]string, len(t.head))
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for i, w := range width {
		rule[i] = strings.Repeat("-", max(w, 3))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n", t.title)
	if t.note != "" {
		fmt.Fprintf(&b, "%s\n\n", t.note)
	}
	for _, row := range slices.Concat([][]string{t.head, rule}, t.rows) {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %-*s ", max(width[i], 3), cell)
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// series is one figure over the rounds of a run.
type series []float64

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	if len(sorted) == 0 {
		return 0
	}
	mid := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[mid-1] + sorted[mid]) / 2
	}
	return sorted[mid]
}

func (s series) sum() int {
	n := 0.0
	for _, v := range s {
		n += v
	}
	return int(n)
}

// over divides round by round. Neighbours in time are alike, so that takes the
// moods of the machine out.
func (s series) over(base series) series {
	var all series
	for i := range s {
		all = append(all, s[i]/base[i])
	}
	return all
}

// minus subtracts round by round.
func (s series) minus(base series) series {
	var all series
	for i := range s {
		all = append(all, s[i]-base[i])
	}
	return all
}

// text is the median, with the spread if there is one to speak of.
func (s series) text(digits int) string {
	if len(s) == 0 {
		return "-"
	}
	text := fmt.Sprintf("%.*f", digits, s.median())
	if len(s) > 1 {
		text += fmt.Sprintf(" (%.*f-%.*f)", digits, slices.Min(s), digits, slices.Max(s))
	}
	return text
}

// slope of the line through the points, by least squares.
func slope(points map[int]float64) float64 {
	var mx, my, num, den float64
	for x, y := range points {
		mx += float64(x) / float64(len(points))
		my += y / float64(len(points))
	}
	for x, y := range points {
		num += (float64(x) - mx) * (y - my)
		den += (float64(x) - mx) * (float64(x) - mx)
	}
	return num / den
}

func percent(part, whole int) string {
	return fmt.Sprintf("%.2f", 100*float64(part)/float64(max(whole, 1)))
}

func megabytes(n int) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

// ms writes a latency in milliseconds, with about three digits.
func ms(d time.Duration) string {
	v := milliseconds(d)
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
