package show

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

var sample = Table{
	Columns: []Column{{Head: "UPSTREAM"}, {Head: "TIME", Right: true, Drop: 1}, {Head: "REPLY", Wraps: true}, {Head: "WHY", Wraps: true}},
	Rows: []Row{
		{Mark: "*", Cells: []string{"10.1.0.53%tun0", "12 ms", "10.2.0.20, 10.2.0.21, 2001:db8::5", "first good answer"}, Colours: []string{Bold, "", Green}},
		{Cells: []string{"tls://9.9.9.9%dns.example", "-", "-", "no reply in 2s; upstream is down"}, Colours: []string{"", "", Red}},
		{Mark: "!", Cells: []string{"192.168.1.1", "0.9 ms", "NXDOMAIN", "no such name"}, Notes: []string{"silent since 12:03:49 over UDP and TCP; its interface is up and leads there"}},
	},
}

// A table is shown in the width of the terminal, and no word of it is cut. Without a terminal
// it has a line a row.
func TestTable(t *testing.T) {
	var all strings.Builder
	for _, width := range []int{0, 120, 80, 60, 30} {
		fmt.Fprintf(&all, "%d columns\n", width)
		lines := sample.Lines(Screen{Width: width})
		for _, line := range lines {
			if width > 0 && len(line) > width && strings.Contains(strings.TrimSpace(line), " ") {
				t.Errorf("%d columns, want %d: %s", len(line), width, line)
			}
			if strings.TrimRight(line, " ") != line {
				t.Errorf("blanks at the end of %q", line)
			}
		}
		text := strings.Join(lines, "\n") + "\n"
		words := strings.Fields(text)
		for _, row := range sample.Rows {
			for word := range strings.FieldsSeq(strings.Join(append(row.Cells[2:], row.Notes...), " ")) {
				if word != "-" && !has(words, word) {
					t.Errorf("in %d columns %q is cut or missing", width, word)
				}
			}
		}
		all.WriteString(text + "\n")
		painted := strings.Join(sample.Lines(Screen{Width: width, Colour: true}), "\n") + "\n"
		if painted == text || testkit.Shown(t, painted, 1000) != text {
			t.Errorf("colours change more than colours:\n%q", painted)
		}
	}
	testkit.Golden(t, filepath.Join("testdata", "table.txt"), all.String())
}

func has(words []string, word string) bool {
	for _, w := range words {
		if w == word {
			return true
		}
	}
	return false
}

func TestNoRows(t *testing.T) {
	if got := (Table{Columns: sample.Columns}).Lines(Screen{Writer: io.Discard, Width: 80}); len(got) != 1 || !strings.Contains(got[0], "UPSTREAM") {
		t.Errorf("%q", got)
	}
	if got := (Table{Columns: sample.Columns}).Lines(Screen{Writer: os.Stdout, Width: 5}); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
