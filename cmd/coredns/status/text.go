package status

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// text is the state for people.
func text(state *api.State, nameservers []string, now time.Time, screen show.Screen) (lines []string) {
	for i := range state.Servers {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, server(state, &state.Servers[i], nameservers, now, screen)...)
	}
	return lines
}

// server is a server block: first how many are up, then what cannot be answered, then each.
func server(state *api.State, s *api.Server, nameservers []string, now time.Time, screen show.Screen) (lines []string) {
	all, up := count([]api.Server{*s})
	what := fmt.Sprintf("%d of %d upstreams are up", up, all)
	switch {
	case up == 1 && all > 1:
		what = fmt.Sprintf("1 of %d upstreams is up", all)
	case all == 1 && up == 0:
		what = "the upstream is not up"
	case all == 0:
		what = "there is no upstream"
	case all == 1 && up == 1:
		what = "the upstream is up"
	case all == 2 && up == 2:
		what = "both upstreams are up"
	case all == up:
		what = fmt.Sprintf("all %d upstreams are up", all)
	}
	head := fmt.Sprintf("dnsmus on %s: %s.", s.Server, what)
	lines = append(lines, screen.Lines(head)...)
	for _, note := range s.Notes {
		lines = append(lines, screen.Lines("! "+note)...)
	}
	about := fmt.Sprintf("Version %s, process %d, up for %s.", state.Version, state.PID, show.Age(now.Sub(state.Since)))
	if asks(s, nameservers) {
		about += " Programs of this system ask it."
	}
	lines = append(lines, screen.Lines(about)...)
	lines = append(lines, screen.Lines(races(s))...)
	if all > 0 {
		lines = append(append(lines, ""), upstreams(s, now).Lines(screen)...)
	}
	return lines
}

// asks reports whether the system's resolv.conf leads to a server block.
func asks(s *api.Server, nameservers []string) bool {
	return slices.ContainsFunc(nameservers, func(ns string) bool { return slices.Contains(s.Listens, net.JoinHostPort(ns, "53")) })
}

// races says how many there were, and how they ended.
func races(s *api.Server) string {
	if s.Hour.All == 0 {
		return "No query went to the upstreams in the last hour."
	}
	text := fmt.Sprintf("%s to the upstreams in the last hour, %d in the last minute: %s got a good answer, %s a denial, %s failed.",
		show.Count(s.Hour.All, "query went", "queries went"), s.Minute.All, show.Share(s.Hour.Good, s.Hour.All), show.Share(s.Hour.Denied, s.Hour.All), show.Share(s.Hour.Failed, s.Hour.All))
	if n := s.Hour.WrongDenials; n > 0 {
		text += fmt.Sprintf(" %s: a good answer came too late.", show.Count(n, "denial was wrong", "denials were wrong"))
	}
	return text
}

// upstreams is the table of them.
func upstreams(s *api.Server, now time.Time) show.Table {
	t := show.Table{Columns: []show.Column{
		{Head: "UPSTREAM"},
		{Head: "STATE"},
		{Head: "TOLD BY", Wraps: true, Drop: 6},
		{Head: "PATH", Drop: 5},
		{Head: "P50", Right: true, Drop: 4},
		{Head: "P95", Right: true, Drop: 7},
		{Head: "GOOD", Right: true, Drop: 1},
		{Head: "ONLY", Right: true, Drop: 2},
		{Head: "KNOWS", Wraps: true, Drop: 3},
	}}
	for i := range s.Upstreams {
		u := &s.Upstreams[i]
		row := show.Row{Cells: []string{
			u.Upstream, state(u, now), cmp.Or(strings.Join(u.ToldBy, ", "), "-"), orNone(u.Path),
			show.Took(u.P50), show.Took(u.P95), show.Share(u.Hour.Good, replies(u.Hour)), fmt.Sprint(u.Hour.Only), knows(u),
		}, Colours: []string{"", show.Green}, Notes: notes(u)}
		if u.State != isUp {
			row.Mark, row.Colours[1] = "!", show.Red
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// notes are what there is to say of an upstream.
func notes(u *api.Upstream) (list []string) {
	if u.About != "" {
		list = append(list, strings.ToUpper(u.About[:1])+strings.TrimSuffix(u.About[1:], ".")+".")
	}
	return list
}

// replies are those of a tally.
func replies(t api.Tally) int { return t.Good + t.Denied + t.NoOpinion + t.Failed }

func knows(u *api.Upstream) string {
	if len(u.Knows) == 0 {
		return "-"
	}
	more := ""
	if n := u.KnowsAll - len(u.Knows); n > 0 {
		more = fmt.Sprintf(" +%d", n)
	}
	return strings.Join(u.Knows, ", ") + more
}

func orNone(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

// count returns how many upstreams there are, and how many are up.
func count(servers []api.Server) (all, up int) {
	for _, s := range servers {
		all += len(s.Upstreams)
		for _, u := range s.Upstreams {
			if u.State == isUp {
				up++
			}
		}
	}
	return all, up
}

// state is that of an upstream, and for how long it has been so.
func state(u *api.Upstream, now time.Time) string {
	return u.State + " " + show.Age(now.Sub(u.Since))
}
