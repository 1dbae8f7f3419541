package top

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/explain"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/cmd/coredns/why"
	"github.com/dnsmus/dnsmus/cmd/coredns/zones"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// page is text that takes the whole screen.
type page struct {
	title  string
	text   text
	fetch  func(context.Context, *client.Command, request) (text, error) // what is shown; nil: it is there
	scroll int
}

// text is what a page shows.
type text func(now time.Time, s show.Screen) []string

// fetched is a text that was fetched for a page.
type fetched struct {
	page *page
	text text
}

func sentence(words string) text {
	return func(_ time.Time, s show.Screen) []string { return s.Lines(words) }
}

// get fetches what a page shows, or why that cannot be.
func (p *page) get(ctx context.Context, c *client.Command, r request) fetched {
	t, err := p.fetch(ctx, c, r)
	if err != nil {
		t = sentence(err.Error())
	}
	return fetched{p, t}
}

// raceOf shows a race as explain does, or a sentence.
func raceOf(r *row) *page {
	if r.race == nil {
		return &page{title: "At " + r.at.Local().Format("15:04:05"), text: sentence(r.note)}
	}
	return &page{title: "Query at " + r.at.Local().Format("15:04:05"), text: func(now time.Time, s show.Screen) (lines []string) {
		e := r.race
		if e.Cached {
			lines = s.Lines(fromCache(e, now))
		} else {
			lines = explain.Text(&e.Outcome, now, s)
		}
		if r.wrong {
			lines = append(append(lines, ""), s.Lines("The denial was wrong: a good answer came late.")...)
		}
		if r.folded > 0 {
			of := strings.Join(r.names, ", ")
			if n := r.folded - len(r.names); n > 0 {
				of += fmt.Sprintf(" and %d more", n)
			}
			lines = append(append(lines, ""), s.Lines("Denied just before, in this name's search list: "+of+".")...)
		}
		return lines
	}}
}

// fromCache says what the server's own cache replied, and who had given it that.
func fromCache(e *api.RaceEvent, now time.Time) string {
	text := fmt.Sprintf("%s %s: %s, from dnsmus's own cache; no upstream was asked.", e.Name, e.Type, show.Got(&e.Outcome))
	if e.Upstream != nil {
		text += "\nIt was given by " + *e.Upstream + "."
	}
	if e.KeptUntil != nil {
		text += "\nIt is kept until " + show.Clock(*e.KeptUntil, now) + "."
	}
	return text
}

// whyOf shows why races of a name ended as they did.
func whyOf(r *row) *page {
	e := r.race
	return &page{title: "Why", text: sentence("..."), fetch: func(ctx context.Context, c *client.Command, q request) (text, error) {
		s, params, err := find(ctx, c, q)
		if err != nil {
			return nil, err
		}
		params.Set(api.ParamName, e.Name)
		params.Set(api.ParamType, e.Type)
		all, err := history(ctx, s, params)
		if err == nil && len(all) == 0 {
			return sentence(fmt.Sprintf("%s %s: nothing is remembered. Good answers are not, but for slow ones and those of filters.", e.Name, e.Type)), nil
		}
		return func(now time.Time, s show.Screen) []string { return why.Text(all, false, now, s) }, err
	}}
}

// zonesPage shows who knows which zone.
func zonesPage() *page {
	return &page{title: "Zones", text: sentence("..."), fetch: func(ctx context.Context, c *client.Command, q request) (text, error) {
		s, params, err := find(ctx, c, q)
		if err != nil {
			return nil, err
		}
		var all []api.Zone
		err = s.Lines(ctx, api.Zones, params, func(line []byte) error {
			var z api.Zone
			err := client.Decode(line, &z)
			all = append(all, z)
			return err
		})
		if err == nil && len(all) == 0 {
			return sentence("Nothing is known yet."), nil
		}
		return func(now time.Time, s show.Screen) []string { return zones.Tables(all, nil, now, s) }, err
	}}
}

func helpPage() *page {
	return &page{title: "Help", text: sentence(keyHelp + `

Each line is a query: what the client got, after how many
milliseconds, and BY which upstream. ! stands before what
matters: failures, denials of names that not all upstreams
confirm, and denials that were wrong. Below the letter of
each upstream stands what it said:

  *   its reply was given    =   a good answer, too
  ` + gDiffers + `   another answer         nx  no such name
  nd  no such record         sf  SERVFAIL
  rf  REFUSED                er  another failure
  bg  bogus                  tc  truncated
  rl  refers elsewhere       cn  an alias
  ` + gSilent + `   no reply               ` + gDown + `   down
  -   not asked              ~   before these: it came late

(x5) is five queries: an answer, and four names that a
search list led to just before, which were denied.
(kept) is from dnsmus's own cache, and BY says who gave it.
What the plugin cache answers is not seen. Colours say
nothing that is not written.`)}
}

// pageLines are the screen with a page.
func (u *ui) pageLines(s show.Screen) []string {
	lines := chop(u.page.text(u.now, s), u.width)
	room := u.height - 2
	u.page.scroll = max(min(u.page.scroll, len(lines)-room), 0)
	u.room = room
	end := " q back "
	if more := len(lines) - room - u.page.scroll; more > 0 {
		end += fmt.Sprintf(" %s below ", show.Count(more, "line", "lines"))
	}
	return append(append([]string{s.Paint(show.Bold, " "+u.page.title)}, fill(lines[u.page.scroll:], room)...), s.Paint(show.Dim, end))
}

// pageKey takes a key while a page is shown.
func (u *ui) pageKey(k string) {
	switch k {
	case "q", keyEscape, keyEnter:
		u.page = nil
	case keyUp, "k":
		u.page.scroll--
	case keyDown, "j":
		u.page.scroll++
	case keyPageUp:
		u.page.scroll -= u.room
	case keyPageDown, " ":
		u.page.scroll += u.room
	case keyHome, "g":
		u.page.scroll = 0
	}
}
