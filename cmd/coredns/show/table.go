package show

import (
	"slices"
	"strings"
)

// Column is a column of a [Table].
type Column struct {
	Head  string
	Right bool // numbers and times stand at its right
	Wraps bool // its text may go on in the next line
	Drop  int  // columns that are left out where there is no room, the greatest first; 0: never
}

// Row is a row of a [Table]. All its text is in printable ASCII.
type Row struct {
	Mark    string   // before the columns, one character; empty: none
	Cells   []string // one a column
	Colours []string // of the cells; may be shorter
	Notes   []string // sentences below the row
}

// Table is rows under the heads of columns.
type Table struct {
	Columns []Column
	Rows    []Row
}

const (
	gap   = "  "
	mark  = 2  // columns that marks take
	short = 14 // a column that wraps is no narrower than this
)

// Lines returns the table for a screen. Where it is too narrow, columns wrap or are left out;
// where not even that helps, each row is a paragraph. No word is cut.
func (t Table) Lines(s Screen) []string {
	for drop := true; drop; {
		if widths, ok := t.widths(s.Width); ok {
			return t.columns(s, widths)
		}
		t, drop = t.narrower()
	}
	return t.paragraphs(s)
}

// widths are those of the columns; ok is false if they do not fit.
func (t Table) widths(room int) (widths []int, ok bool) {
	widths, least := make([]int, len(t.Columns)), make([]int, len(t.Columns))
	for c, col := range t.Columns {
		widths[c], least[c] = len(col.Head), max(len(col.Head), short)
		for _, row := range t.Rows {
			widths[c] = max(widths[c], len(row.Cells[c]))
			least[c] = max(least[c], longest(row.Cells[c]))
		}
	}
	total := mark - len(gap)
	for _, w := range widths {
		total += w + len(gap)
	}
	// The widest column gives up its room first.
	for room > 0 && total > room {
		widest := -1
		for c, col := range t.Columns {
			if col.Wraps && widths[c] > least[c] && (widest < 0 || widths[c] > widths[widest]) {
				widest = c
			}
		}
		if widest < 0 {
			return nil, false
		}
		widths[widest]--
		total--
	}
	return widths, true
}

// narrower is the table without the column that is missed least.
func (t Table) narrower() (Table, bool) {
	at := 0
	for c, col := range t.Columns {
		if col.Drop > t.Columns[at].Drop {
			at = c
		}
	}
	if len(t.Columns) == 0 || t.Columns[at].Drop == 0 {
		return t, false
	}
	less := Table{Columns: without(t.Columns, at)}
	for _, row := range t.Rows {
		row.Cells = without(row.Cells, at)
		if at < len(row.Colours) {
			row.Colours = without(row.Colours, at)
		}
		less.Rows = append(less.Rows, row)
	}
	return less, true
}

func without[T any](list []T, at int) []T { return slices.Delete(slices.Clone(list), at, at+1) }

// columns are the lines of the table as such.
func (t Table) columns(s Screen, widths []int) []string {
	var heads []string
	for _, col := range t.Columns {
		heads = append(heads, col.Head)
	}
	lines := []string{s.Paint(Bold, t.line("", heads, widths, func(_ int, text string) string { return text }))}
	for _, row := range t.Rows {
		cells := make([][]string, len(t.Columns))
		height := 1
		for c, text := range row.Cells {
			cells[c] = []string{text}
			if t.Columns[c].Wraps {
				cells[c] = Wrap(text, widths[c], "")
			}
			height = max(height, len(cells[c]))
		}
		for n := range height {
			part := make([]string, len(cells))
			for c := range cells {
				if n < len(cells[c]) {
					part[c] = cells[c][n]
				}
			}
			before := ""
			if n == 0 && row.Mark != "" {
				before = s.Paint(Bold, pad(row.Mark, mark))
			}
			lines = append(lines, t.line(before, part, widths, func(c int, text string) string { return s.Paint(row.colour(c), text) }))
		}
		lines = append(lines, row.notes(s)...)
	}
	return lines
}

// line is one line of cells, which are painted when they have their width.
func (t Table) line(before string, cells []string, widths []int, paint func(c int, text string) string) string {
	var b strings.Builder
	if before == "" {
		before = pad("", mark)
	}
	b.WriteString(before)
	blanks := 0 // that are owed, so that none ends a line
	for c, text := range cells {
		room := widths[c] - len(text)
		if t.Columns[c].Right {
			blanks, room = blanks+room, 0
		}
		if text != "" {
			b.WriteString(strings.Repeat(" ", blanks) + paint(c, text))
			blanks = 0
		}
		blanks += room + len(gap)
	}
	return strings.TrimRight(b.String(), " ")
}

func (r Row) colour(c int) string {
	if c < len(r.Colours) {
		return r.Colours[c]
	}
	return ""
}

// notes are the sentences below a row.
func (r Row) notes(s Screen) (lines []string) {
	const indent = "    "
	for _, note := range r.Notes {
		lines = append(lines, Wrap(indent+note, s.Width, indent)...)
	}
	return lines
}

// paragraphs are the rows one below another: the first cell, and then the others after their
// heads.
func (t Table) paragraphs(s Screen) (lines []string) {
	for _, row := range t.Rows {
		lines = append(lines, s.Paint(Bold, pad(row.Mark, mark))+s.Paint(row.colour(0), row.Cells[0]))
		for c := 1; c < len(t.Columns); c++ {
			if row.Cells[c] == "-" || row.Cells[c] == "" {
				continue
			}
			lines = append(lines, Wrap("    "+strings.ToLower(t.Columns[c].Head)+": "+row.Cells[c], s.Width, "      ")...)
		}
		lines = append(lines, row.notes(s)...)
	}
	return lines
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(width-len(text), 0))
}
