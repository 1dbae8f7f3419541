package explain

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// style is how text is shown.
type style struct {
	width  int // of the terminal; 0: there is none
	colour bool
}

// SGR parameters of colours.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s style) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// colourOf is the colour of a verdict.
func colourOf(v race.Verdict) string {
	switch {
	case v == race.Good:
		return green
	case v.Negative():
		return yellow
	}
	return red
}

// Columns of the table; the mark of the winner stands before them.
const (
	colUpstream = iota
	colTime
	colRcode
	colRecords
	colVerdict
	colWhy
	columns
)

var heads = [columns]string{"UPSTREAM", "TIME", "RCODE", "RECORDS", "VERDICT", "WHY"}

const (
	gap         = "  "
	leastData   = 15 // of the column with the records, however narrow the terminal is
	defaultData = 40
	mostData    = 80
	mostWhy     = 40 // of the last column; what is longer wraps
)

// table has a line of heads, and one for each upstream.
func table(o *outcome, s style) []string {
	rows := make([][columns]string, len(o.results))
	var width [columns]int
	measure := func(row [columns]string) {
		for c, cell := range row {
			width[c] = max(width[c], utf8.RuneCountInString(cell))
		}
	}
	measure(heads)
	for i := range o.results {
		rows[i] = o.cells(i)
		measure(rows[i])
	}
	// The records get what the other columns leave.
	room := defaultData
	if s.width > 0 {
		room = s.width - len(gap)*columns
		for c, w := range width {
			switch c {
			case colRecords:
			case colWhy:
				room -= min(w, mostWhy)
			default:
				room -= w
			}
		}
		room = min(max(room, leastData), mostData)
	}
	for i := range o.results {
		if m := o.results[i].msg; m != nil {
			rows[i][colRecords] = recordsText(m, o.cfg.question.Qtype, room)
			measure(rows[i])
		}
	}

	lines := []string{s.paint(bold, line("  ", heads, width, func(_ int, cell string) string { return cell }))}
	for i, row := range rows {
		res := &o.results[i]
		mark := "  "
		if i == o.winner {
			mark = "* "
		}
		lines = append(lines, line(s.paint(bold, mark), row, width, func(c int, cell string) string {
			switch {
			case res.pending() && !o.ended:
				return s.paint(dim, cell)
			case c == colVerdict:
				return s.paint(colourOf(res.verdict), cell)
			case i == o.winner && c == colUpstream:
				return s.paint(bold, cell)
			}
			return cell
		}))
	}
	return lines
}

// cells are an upstream's, but for the records.
func (o *outcome) cells(i int) [columns]string {
	res := &o.results[i]
	row := [columns]string{res.server.String(), span(res.after), "-", "-", res.verdict.String(), o.why(i)}
	switch {
	case res.msg != nil:
		row[colRcode] = rcodeName(res.msg.Rcode)
	case res.err != nil:
	case o.ended:
		row[colTime] = "-"
	default:
		row[colTime], row[colVerdict] = fmt.Sprintf("%.1f s", o.since.Seconds()), "-"
	}
	return row
}

// line is a line of the table. Cells are painted when they have their width.
func line(mark string, row [columns]string, width [columns]int, paint func(c int, cell string) string) string {
	var b strings.Builder
	b.WriteString(mark)
	for c, cell := range row {
		pad := strings.Repeat(" ", width[c]-utf8.RuneCountInString(cell))
		switch c {
		case colTime:
			b.WriteString(pad + paint(c, cell))
		case colWhy:
			b.WriteString(paint(c, cell))
		default:
			b.WriteString(paint(c, cell) + pad)
		}
		if c < columns-1 {
			b.WriteString(gap)
		}
	}
	return b.String()
}
