package testkit

import (
	"fmt"
	"strings"
	"testing"
)

// Screens has run show something at several widths, 0 of which is none, and requires that it is
// what a golden file has: within the width, safe for a terminal, and in colours that change
// nothing but colours.
func Screens(t *testing.T, file string, run func(width int, colour bool) string) {
	t.Helper()
	var all strings.Builder
	for _, width := range []int{0, 120, 80, 60} {
		plain, painted := run(width, false), run(width, true)
		if Shown(t, painted, 1000) != Shown(t, plain, 1000) {
			t.Errorf("colours change more than colours:\n%q\n%q", painted, plain)
		}
		for line := range strings.Lines(plain) {
			if line = strings.TrimSuffix(line, "\n"); width > 0 && len(line) > width {
				t.Errorf("%d columns, want %d: %q", len(line), width, line)
			}
		}
		fmt.Fprintf(&all, "== %d columns\n%s\n", width, plain)
	}
	Golden(t, file, all.String())
}

// Hostile is text that would change a terminal, turn the direction of writing, or be taken for
// a page's.
const Hostile = "<img/src=x/onerror=alert(1)>\x1b[2J\x1b]0;title\x07\r\n\u202eevil\u009b1m\x7f\xff"
