package explain

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
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

// table has a line for each upstream, below one of heads.
func table(o *outcome, s style) []string {
	rows := make([][columns]string, len(o.opinions))
	var width [columns]int
	measure := func(row [columns]string) {
		for c, cell := range row {
			width[c] = max(width[c], utf8.RuneCountInString(cell))
		}
	}
	measure(heads)
	for i := range o.opinions {
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
	for i := range o.opinions {
		if m := o.opinions[i].msg; m != nil {
			rows[i][colRecords] = recordsText(m, o.cfg.question.Qtype, room)
			measure(rows[i])
		}
	}

	lines := []string{s.paint(bold, line("  ", heads, width, func(_ int, cell string) string { return cell }))}
	for i, row := range rows {
		op := &o.opinions[i]
		mark := "  "
		if i == o.winner {
			mark = "* "
		}
		lines = append(lines, line(s.paint(bold, mark), row, width, func(c int, cell string) string {
			switch {
			case op.pending() && !o.ended:
				return s.paint(dim, cell)
			case c == colVerdict:
				return s.paint(colourOf(op.verdict), cell)
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
	op := &o.opinions[i]
	row := [columns]string{op.server.String(), span(op.after), "-", "-", op.verdict.String(), o.why(i)}
	switch {
	case op.msg != nil:
		row[colRcode] = rcodeName(op.msg.Rcode)
	case op.err != nil:
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

// summary says what dnsmus replies, and how far that is to be trusted.
func summary(o *outcome, s style) []string {
	var lines []string
	what := rcodeName(o.reply.Rcode)
	if o.verdict == race.NoData || o.verdict == race.NoDataSOA {
		what = "NODATA"
	}
	if o.verdict == race.Truncated {
		what = "TC without an answer"
	}
	what = s.paint(colourOf(o.verdict), what)
	if o.special {
		return []string{"dnsmus replies " + what + " itself: no upstream is asked for this name, unless forward_special says so."}
	}
	head := "dnsmus replies " + what + " after " + span(o.took)
	switch {
	case o.interrupted && o.winner < 0:
		return []string{"Interrupted after " + span(o.took) + ", before anybody replied."}
	case o.interrupted:
		head = fmt.Sprintf("Interrupted after %s. If nothing better comes, dnsmus replies %s", span(o.took), what)
	}
	if o.winner < 0 {
		return append(lines, head+": no upstream replied.")
	}
	head += ", the reply of " + o.opinions[o.winner].server.String()
	section := o.reply.Answer
	if len(section) == 0 {
		section = o.reply.Ns
	}
	if len(section) > 0 {
		head += ":"
	}
	lines = append(lines, head)
	for _, rr := range section {
		lines = append(lines, "  "+recordText(rr))
	}
	lines = append(lines, o.trust()...)
	return append(lines, o.differences()...)
}

// recordText is a record on one line.
func recordText(rr dns.RR) string {
	return plain(rr.String())
}

// trust says whether the reply is conclusive, and what follows from that.
func (o *outcome) trust() []string {
	var lines []string
	switch {
	case o.verdict == race.Good && o.cfg.Prefer != option.None:
		return []string{"Conclusive: the best of the good answers that came in time is the reply, whatever the others say."}
	case o.verdict == race.Good:
		return []string{"Conclusive: the first good answer is the reply, whatever the others say."}
	case o.verdict.Negative() && o.filtered:
		lines = append(lines, "Final: it says that a filter made it.")
	case o.verdict.Negative() && o.conclusive:
		lines = append(lines, "Conclusive: every upstream has given its opinion.")
	case o.verdict.Negative():
		lines = append(lines, "Inconclusive: "+o.missed()+".")
	case o.verdict == race.Truncated:
		return []string{"There is an answer, too long for UDP, that cannot be had over TCP: clients on TCP get SERVFAIL."}
	case !o.conclusive:
		return []string{"Nobody knows: " + o.missed() + "."}
	default:
		return []string{"Every upstream has replied, and no reply is of use."}
	}
	if seconds, keep := o.ttl(); keep {
		lines = append(lines, fmt.Sprintf("Caches may keep it for %v.", time.Duration(seconds)*time.Second))
	} else {
		lines = append(lines, "Caches should not keep it: no SOA says for how long.")
	}
	return lines
}

// missed says whose opinion is missing, and why.
func (o *outcome) missed() string {
	var parts []string
	for _, i := range o.missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", o.opinions[i].server, o.why(i)))
	}
	return "no opinion from " + strings.Join(parts, ", ")
}
