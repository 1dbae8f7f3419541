package top

import (
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
)

// The least that a screen needs.
const (
	minWidth  = 60
	minHeight = 12
)

// lines are the whole screen. Some of their bytes stand for glyphs.
func (u *ui) lines() []string {
	s := show.Screen{Width: u.width, Height: u.height, Colour: u.colour}
	switch {
	case u.width < minWidth || u.height < minHeight:
		return fill(chop(s.Lines(fmt.Sprintf("The terminal has %d columns and %d lines. At least %d and %d are needed.", u.width, u.height, minWidth, minHeight)), u.width), u.height)
	case u.page != nil:
		return u.pageLines(s)
	}
	lines := []string{u.head(s)}
	lines = append(lines, u.upstreamLines(s, u.upstreamRoom())...)
	lines = lines[:min(len(lines), 1+u.upstreamRoom())]
	lines = append(lines, s.Paint(show.Dim, strings.Repeat(gRule, u.width)))
	u.room = u.height - len(lines) - 3
	lines = append(lines, u.raceLines(s)...)
	return append(fill(lines, u.height-2), u.status(s), s.Paint(show.Dim, keyLine(u.width)))
}

// upstreamRoom is how many lines the table of upstreams may take.
func (u *ui) upstreamRoom() int { return (u.height - 5) / 2 }

// fill adds empty lines, or takes lines away.
func fill(lines []string, height int) []string {
	for len(lines) < height {
		lines = append(lines, "")
	}
	return lines[:max(height, 0)]
}

// chop breaks lines that are too long, such as those of one long word.
func chop(lines []string, width int) (all []string) {
	for _, line := range lines {
		columns, begin, escape := 0, 0, false
		for i := range len(line) {
			switch {
			case escape:
				escape = line[i] != 'm'
				continue
			case line[i] == '\x1b':
				escape = true
				continue
			}
			if columns == width && width > 0 {
				all = append(all, line[begin:i])
				columns, begin = 0, i
			}
			columns++
		}
		all = append(all, line[begin:])
	}
	return all
}

// head is the first line: what came of all races of the last minute, and at the right whether what is
// shown is live.
func (u *ui) head(s show.Screen) string {
	right := u.now.Local().Format("15:04:05") + "   live "
	colour := show.Green
	switch {
	case u.broken != "":
		right, colour = "no connection ", show.Red
	case u.paused != nil:
		right, colour = "paused ", show.Yellow
	case u.oneOf > 1:
		right, colour = fmt.Sprintf("one of %d shown ", u.oneOf), show.Yellow
	case !u.live:
		right, colour = "connecting ", show.Yellow
	}
	var parts []string
	if b := u.block(); b != nil {
		name := b.Server
		if len(u.state.Servers) > 1 {
			name += fmt.Sprintf(" (one of %d)", len(u.state.Servers))
		}
		m := b.Minute
		parts = []string{name, "up " + show.Age(u.now.Sub(u.state.Since))}
		if m.All > 0 && m.Seconds >= 1 {
			parts = append(parts, rate(m.All, m.Seconds)+"/s")
			parts = append(parts, "good "+show.Share(m.Good, m.All), "denied "+show.Share(m.Denied, m.All), "failed "+show.Share(m.Failed, m.All))
		}
		if b.Hour.WrongDenials > 0 {
			parts = append(parts, fmt.Sprintf("wrong denials %d", b.Hour.WrongDenials))
		}
	}
	left := ""
	for _, part := range parts {
		if len(left)+2+len(part)+2+len(right) > u.width {
			break
		}
		left += " " + part + " "
	}
	return s.Paint(show.Bold, left+strings.Repeat(" ", max(u.width-len(left)-len(right), 0))) + s.Paint(colour, right)
}

// status is the line above the keys: what is typed, what is wrong, or what is shown.
func (u *ui) status(s show.Screen) string {
	text, colour := "", ""
	switch {
	case u.asks == asksFilter:
		text = " filter: " + u.typed + "_"
		if room := u.width - 2; len(text) > room { // the end is where it is typed
			text = " filter: ..." + u.typed[len(u.typed)-(room-13):] + "_"
		}
	case u.asks == asksUpstream:
		text = " letter of the upstream whose answers are to be shown: _"
	case u.problem != "":
		text, colour = " "+u.problem, show.Red
	case u.broken != "":
		text, colour = " connecting again: "+u.broken, show.Red
	default:
		text = u.shown()
	}
	return s.Paint(colour, show.Cut(text, u.width))
}

// shown says which races are shown, and what there is to say of the one that is chosen.
func (u *ui) shown() string {
	var parts []string
	if words := strings.TrimSpace(u.words + " " + u.view); words != "" {
		parts = append(parts, "only: "+words)
	}
	if list := u.visible(); u.selected != nil {
		for i, r := range list {
			if r == u.selected && i > 0 && u.paused == nil {
				parts = append(parts, show.Count(i, "line is newer", "lines are newer"))
			}
		}
		if u.selected.race != nil {
			parts = append(parts, u.remark(u.selected))
		}
	} else if len(list) == 0 && u.state != nil {
		parts = append(parts, "no query yet")
	}
	text := ""
	for _, part := range parts {
		if part != "" {
			text += " " + part + "  "
		}
	}
	return text
}
