package top

import (
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
)

// columns are how wide those of races are. Mark, time and type have their own width.
type columns struct {
	name, reply, remark int
	ms, by              bool
	legs                int // upstreams
}

// Widths of columns, with the blanks after them.
const (
	timeWidth = 11 // with the mark
	typeWidth = 7
	msWidth   = 7
	byWidth   = 3
	legWidth  = 4
	leastName = 25
	leastGot  = 17
)

// columnsFor are those for a width. Where that is not enough for all, what others said is left out,
// then who replied, then the time. Where it is more than enough, remarks are shown.
func columnsFor(width, upstreams int) columns {
	c := columns{name: leastName, reply: leastGot}
	room := width - timeWidth - typeWidth - leastName - leastGot
	take := func(n int) bool {
		if room < n {
			return false
		}
		room -= n
		return true
	}
	c.ms = take(msWidth)
	c.by = c.ms && take(byWidth)
	if c.by && take(legWidth*upstreams) {
		c.legs = upstreams
	} else if fit := room / legWidth; c.by && fit >= 8 {
		c.legs = fit
		take(legWidth * fit)
	}
	grow := func(n, most int) int {
		n = max(min(n, most, room), 0)
		room -= n
		return n
	}
	c.name += grow(room/2, 8)
	c.reply += grow(room, 6)
	if room >= 12 {
		c.remark = room
	} else {
		c.name += grow(room, room)
	}
	return c
}

// raceLines are the heads of columns and the races that there is room for, the newest first. The
// one that is chosen stays where it is.
func (u *ui) raceLines(s show.Screen) []string {
	c := columnsFor(u.width, len(u.letters.names))
	lines := []string{s.Paint(show.Bold, c.heads(u.letters.names))}
	list := u.visible()
	from := 0
	if at := u.at(list); at >= 0 {
		u.line = max(min(u.line, u.room-1, at), 0)
		from = at - u.line
	}
	for _, r := range list[from:min(from+max(u.room, 0), len(list))] {
		lines = append(lines, u.rowLine(r, c, s))
	}
	return lines
}

func (c columns) heads(upstreams []string) string {
	text := fmt.Sprintf(" %-*s%-*s%-*s%-*s", timeWidth-1, "TIME", c.name, "NAME", typeWidth, "TYPE", c.reply, "REPLY")
	if c.ms {
		text += fmt.Sprintf("%*s  ", msWidth-2, "MS")
	}
	if c.by {
		text += fmt.Sprintf("%-*s", byWidth, "BY")
	}
	for i := range c.legs {
		head := ""
		if upstreams[i] != "" {
			head = alphabet[i : i+1]
		}
		text += fmt.Sprintf("%-*s", legWidth, head)
	}
	return strings.TrimRight(text, " ")
}

// rowLine is a race, or a sentence.
func (u *ui) rowLine(r *row, c columns, s show.Screen) string {
	mark, colour := " ", ""
	if r == u.selected {
		mark, colour = ">", show.Reverse
	}
	clock := r.at.Local().Format("15:04:05")
	if r.race == nil {
		return s.Paint(colour, show.Cut(mark+clock+"  "+r.note, u.width))
	}
	o := &r.race.Outcome
	if matters(r) && r != u.selected {
		mark = s.Paint(show.Bold, "!")
	}
	plain := func(width int, text string) string { return s.Paint(colour, fmt.Sprintf("%-*s", width, text)) }
	inColour := func(width int, text, own string) string {
		if colour != "" {
			own = colour
		}
		return s.Paint(own, fmt.Sprintf("%-*s", width, text))
	}
	line := s.Paint(colour, mark) + plain(timeWidth-1, clock) + plain(c.name, nameIn(r, c.name-1)) + plain(typeWidth, show.Cut(o.Type, typeWidth-1)) +
		inColour(c.reply, reply(r, c.reply-1), show.VerdictColour(o.Verdict))
	if c.ms {
		line += plain(msWidth, fmt.Sprintf("%*s", msWidth-2, milliseconds(r)))
	}
	if c.by {
		by := "-"
		if o.Upstream != nil {
			by = u.letters.of(*o.Upstream)
		}
		line += plain(byWidth, by)
	}
	for i := range c.legs {
		text, own := "", ""
		if l := leg(o, u.letters.names[i]); l != nil && u.letters.names[i] != "" {
			text, own = cell(o, l), show.VerdictColour(l.Verdict)
			if l.Seconds == nil {
				own = show.Dim
			}
		}
		line += inColour(legWidth, text, own)
	}
	return line + plain(c.remark, show.Cut(u.remark(r), c.remark))
}

// nameIn is the name of a race, and of how many others it is, cut to a width.
func nameIn(r *row, width int) string {
	name, more := r.race.Name, ""
	if len(name) > 1 {
		name = strings.TrimSuffix(name, ".")
	}
	if r.folded > 0 {
		more = fmt.Sprintf(" (x%d)", r.folded+1)
	}
	return show.Cut(name, width-len(more)) + more
}

// milliseconds is how long a race took. What was kept took none.
func milliseconds(r *row) string {
	switch ms := r.race.Seconds * 1e3; {
	case r.race.Cached:
		return "-"
	case ms < 9.95:
		return fmt.Sprintf("%.1f", ms)
	default:
		return fmt.Sprintf("%.0f", ms)
	}
}
