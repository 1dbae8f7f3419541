package status

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// About is all that is known of the upstreams that are meant by a word, by server block if there are
// several.
func About(servers []api.Server, word string, now time.Time, screen show.Screen) (lines []string) {
	for i := range servers {
		of := find(servers[i:i+1], word)
		if len(of) == 0 {
			continue
		}
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		if len(servers) > 1 {
			lines = append(lines, screen.Lines("On "+servers[i].Server+":")...)
		}
		lines = append(lines, details(of, now, screen)...)
	}
	return lines
}

// details are all that is known of upstreams, a line each.
func details(upstreams []upstream, now time.Time, screen show.Screen) (lines []string) {
	for i := range upstreams {
		u := &upstreams[i].Upstream
		if i > 0 {
			lines = append(lines, "")
		}
		colour := show.Red
		if u.State == isUp {
			colour = show.Green
		}
		lines = append(lines, screen.Paint(show.Bold, u.Upstream)+": "+screen.Paint(colour, state(u, now)))
		for _, note := range notes(u) {
			lines = append(lines, screen.Lines(note)...)
		}
		for _, d := range facts(u, now) {
			if d.text != "" {
				lines = append(lines, show.Wrap(fmt.Sprintf("  %-16s %s", d.head, d.text), screen.Width, strings.Repeat(" ", 19))...)
			}
		}
	}
	return lines
}

type fact struct{ head, text string }

func facts(u *api.Upstream, now time.Time) []fact {
	link := ""
	if u.Link != nil {
		link = *u.Link
		if u.LinkState != nil {
			link += ", which " + map[string]string{"bound": "leads to it", "unbound": "has no route to it, so the routing table decides", "gone": "is down or missing"}[*u.LinkState]
		}
	}
	failure := ""
	if u.LastError != nil {
		failure = u.LastError.Text + ", at " + show.Clock(u.LastError.At, now)
	}
	times := ""
	if u.P50 != nil && u.P95 != nil {
		times = fmt.Sprintf("half of the good ones within %s, 95 %% within %s, in the last hour", show.Took(u.P50), show.Took(u.P95))
	}
	return []fact{
		{"told by", strings.Join(u.ToldBy, ", ")},
		{"interface", link},
		{"domains", strings.Join(u.Domains, " ")},
		{"asked over", asked(u)},
		{"UDP", path(u, u.UDP, now)},
		{"streams", path(u, u.Stream, now)},
		{"EDNS", edns(u, now)},
		{"DNSSEC", known(u.Signs, "it sends signatures", "it sends no signatures")},
		{"replies", times},
		{"last minute", tally(u.Minute)},
		{"last hour", tally(u.Hour)},
		{"knows", strings.TrimPrefix(knows(u), "-")},
		{"never answers", strings.Join(append(append([]string{}, u.UnresponsiveTypes...), u.UnresponsiveZones...), ", ")},
		{"last failure", failure},
	}
}

func asked(u *api.Upstream) string {
	if u.Path == nil {
		return ""
	}
	return *u.Path
}

// path says whether one of the two ways to an upstream is of use. Of one that is not up nothing
// is said that would sound as if it were.
func path(u *api.Upstream, p *api.Path, now time.Time) string {
	switch {
	case p == nil || p.OK && u.State != isUp:
		return ""
	case p.OK:
		return "works"
	case p.RetryAt != nil:
		return "failed; tried again at " + show.Clock(*p.RetryAt, now)
	}
	return "failed"
}

func edns(u *api.Upstream, now time.Time) string {
	text := known(u.EDNS, "understood", "not understood")
	if text != "" && u.EDNSUntil != nil {
		text += "; asked without it until " + show.Clock(*u.EDNSUntil, now)
	}
	return text
}

func known(is *bool, yes, no string) string {
	switch {
	case is == nil:
		return ""
	case *is:
		return yes
	}
	return no
}

func tally(t api.Tally) string {
	if t.Asked == 0 {
		return "not asked"
	}
	text := fmt.Sprintf("asked %s: %d good, %d denied", show.Count(t.Asked, "time", "times"), t.Good, t.Denied)
	for _, part := range []struct {
		n    int
		what string
	}{{t.NoOpinion, "without an opinion"}, {t.Failed, "failed"}, {t.Filtered, "of these a filter's"}, {t.Silent, "without reply"}} {
		if part.n > 0 {
			text += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	text += fmt.Sprintf("; %d won", t.Won)
	if t.Only > 0 {
		text += fmt.Sprintf("; %s it alone had a good answer", show.Count(t.Only, "time", "times"))
	}
	return text
}

// upstream is one, and the server block that has it.
type upstream struct {
	Server string `json:"server"`
	api.Upstream
}

// find returns the upstreams that are meant by a word.
func find(servers []api.Server, word string) (found []upstream) {
	for _, s := range servers {
		for _, u := range s.Upstreams {
			if api.Means(u.Upstream, word) {
				found = append(found, upstream{s.Server, u})
			}
		}
	}
	return found
}
