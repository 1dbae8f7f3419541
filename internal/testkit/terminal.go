package testkit

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// terminal is what a terminal of some width shows after some output. It knows the few escape
// sequences that our commands use, and takes nothing else that is not printable ASCII.
type terminal struct {
	t        testing.TB
	width    int
	lines    [][]rune
	row, col int
}

var control = regexp.MustCompile(`^\x1b\[(\d*)([AJm])`)

// Shown is what a terminal shows after output.
func Shown(t testing.TB, output string, width int) string {
	t.Helper()
	v := &terminal{t: t, width: width}
	for len(output) > 0 {
		if found := control.FindStringSubmatch(output); found != nil {
			output = output[len(found[0]):]
			v.control(found[1], found[2])
			continue
		}
		c := output[0]
		output = output[1:]
		switch {
		case c == '\n':
			v.row, v.col = v.row+1, 0
		case c == '\r':
			v.col = 0
		case c < ' ' || c > '~':
			t.Fatalf("not for terminals: %q", string(c)+output)
		default:
			v.put(rune(c))
		}
	}
	return v.text()
}

func (v *terminal) control(arg, what string) {
	v.t.Helper()
	switch what {
	case "A":
		n := 0
		fmt.Sscan(arg, &n)
		if n > v.row {
			v.t.Fatalf("up %d lines from line %d", n, v.row)
		}
		v.row -= n
	case "J":
		v.lines = v.lines[:min(v.row, len(v.lines))]
		if v.col != 0 {
			v.t.Fatal("erased in the middle of a line")
		}
	}
}

func (v *terminal) put(r rune) {
	if v.col == v.width {
		v.row, v.col = v.row+1, 0
	}
	for len(v.lines) <= v.row {
		v.lines = append(v.lines, nil)
	}
	line := v.lines[v.row]
	for len(line) <= v.col {
		line = append(line, ' ')
	}
	line[v.col] = r
	v.lines[v.row] = line
	v.col++
}

func (v *terminal) text() string {
	var b strings.Builder
	for _, line := range v.lines {
		b.WriteString(string(line) + "\n")
	}
	return b.String()
}
