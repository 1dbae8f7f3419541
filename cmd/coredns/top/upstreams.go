package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// letters name upstreams. One that stays keeps its letter. The zero value has none.
type letters struct{ names []string } // by letter; empty: it is free

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+&"

// keep gives letters to these upstreams and to no others.
func (l *letters) keep(upstreams []api.Upstream) {
	for i, name := range l.names {
		if !slices.ContainsFunc(upstreams, func(u api.Upstream) bool { return u.Upstream == name }) {
			l.names[i] = ""
		}
	}
	for i := range upstreams {
		if slices.Contains(l.names, upstreams[i].Upstream) {
			continue
		}
		if free := slices.Index(l.names, ""); free >= 0 {
			l.names[free] = upstreams[i].Upstream
		} else if len(l.names) < len(alphabet) {
			l.names = append(l.names, upstreams[i].Upstream)
		}
	}
}

// of is the letter of an upstream; "?": it is none of those that are in use.
func (l *letters) of(name string) string {
	if i := slices.Index(l.names, name); i >= 0 && name != "" {
		return alphabet[i : i+1]
	}
	return "?"
}

// upstream is the name of the upstream that has a letter.
func (l *letters) upstream(letter string) (name string, found bool) {
	i := strings.Index(alphabet, letter)
	if letter == "" || i < 0 || i >= len(l.names) || l.names[i] == "" {
		return "", false
	}
	return l.names[i], true
}

// upstreamLines are the table of upstreams, of which most lines have room.
func (u *ui) upstreamLines(s show.Screen, most int) []string {
	b := u.block()
	if b == nil {
		return nil
	}
	t := show.Table{Columns: []show.Column{
		{Head: "UPSTREAM"},
		{Head: "STATE"},
		{Head: "P50", Right: true, Drop: 2},
		{Head: "P95", Right: true, Drop: 4},
		{Head: "/S", Right: true, Drop: 1},
		{Head: "GOOD", Right: true, Drop: 3},
		{Head: "ONLY", Right: true, Drop: 5},
		{Head: "DENIES", Right: true, Drop: 6},
		{Head: "FAILS", Right: true, Drop: 7},
		{Head: "LAST TWO MINUTES", Drop: 8},
	}}
	highest := 0
	for _, points := range u.spark {
		highest = max(highest, slices.Max(append(points, 0)))
	}
	rows := make([]show.Row, len(u.letters.names))
	for i := range b.Upstreams {
		one := &b.Upstreams[i]
		at := slices.Index(u.letters.names, one.Upstream)
		if at < 0 {
			continue
		}
		h := one.Hour
		replies := h.Good + h.Denied + h.NoOpinion + h.Failed
		rows[at] = show.Row{
			Mark: alphabet[at : at+1],
			Cells: []string{
				one.Upstream, one.State + " " + show.Age(u.now.Sub(one.Since)), show.Took(one.P50), show.Took(one.P95), rate(one.Minute.Asked, b.Minute.Seconds),
				show.Share(h.Good, replies), fmt.Sprint(h.Only), show.Share(h.Denied, replies), fmt.Sprint(h.Failed + h.Silent), sparkline(u.spark[one.Upstream], highest),
			},
			Colours: []string{"", stateColour(one.State)},
		}
	}
	for _, row := range rows { // those that are not up first, if there is no room for all
		if row.Cells != nil {
			t.Rows = append(t.Rows, row)
		}
	}
	more := len(t.Rows) - (most - 1)
	if more > 0 {
		more++ // for the line that says so
		slices.SortStableFunc(t.Rows, func(a, b show.Row) int { return strings.Compare(a.Colours[1], b.Colours[1]) })
		t.Rows = t.Rows[:len(t.Rows)-more]
	}
	lines := t.Lines(s)
	if more > 0 {
		lines = append(lines, fmt.Sprintf("  and %d more", more))
	}
	return lines
}

// rate is how often something was in a second; empty: no second has passed.
func rate(times int, seconds float64) string {
	switch each := float64(times) / seconds; {
	case seconds < 1:
		return ""
	case each < 9.95:
		return fmt.Sprintf("%.1f", each)
	default:
		return fmt.Sprintf("%.0f", each)
	}
}

// stateColour is red for those that are not up, which sort before green.
func stateColour(state string) string {
	if state == "up" {
		return show.Green
	}
	return show.Red
}

// sparkline draws how often an upstream was asked. Its last point is at the right.
func sparkline(points []int, highest int) string {
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", sparkPoints-len(points)))
	for _, n := range points {
		b.WriteString(bar(n, highest))
	}
	return b.String()
}
