package top

import (
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control"
)

// ui is a model, and what of it is on the screen.
type ui struct {
	*model
	width, height int
	colour        bool

	paused   []*row // what is shown while it is; nil: it is not
	selected *row   // the race that is chosen; nil: what is new is shown
	line     int    // among those of the list, on which it is
	room     int    // lines that the list had last
	page     *page  // that is shown in place of all; nil: none
	asks     asking
	typed    string
	problem  string // until the next key
}

// asking is what the next keys are for.
type asking int

const (
	asksNothing asking = iota
	asksFilter
	asksUpstream
)

// effect is what follows on a key.
type effect struct {
	quit  bool
	ask   bool  // the server for something else
	fetch *page // from the server
}

// Keys that are no characters.
const (
	keyUp, keyDown, keyPageUp, keyPageDown = "up", "down", "page up", "page down"
	keyHome, keyEnd                        = "home", "end"
	keyEnter, keyEscape, keyBackspace      = "enter", "escape", "backspace"
	keyTab, keyInterrupt                   = "tab", "interrupt"
)

const keyHelp = `  d f s x   only what was denied, failed, took long, or has
            answers that differ; again: all
  u LETTER  only what this upstream has won; u: all
  /         only what the words of a filter are true of
  p         hold what is shown; again: go on
  arrows    choose a query; Esc: back to what is new
  Enter     what each upstream said;  w  why it ended so
  z  who knows which zone;  Tab  the next server block
  ?  help;  q  end`

// views are words of filters that a key stands for.
var views = map[string]string{"d": "denied", "f": "failed", "s": "slow", "x": "differ"}

// keyLine is the last line.
func keyLine(width int) string {
	text := ""
	for _, part := range []string{"q quit", "/ filter", "d denied", "f failed", "s slow", "x differ", "p pause", "Enter replies", "w why", "? help", "z zones", "u upstream"} {
		if len(text)+len(part)+2 > width {
			break
		}
		text += " " + part + " "
	}
	return text
}

// key is a key that was pressed: a character, or one of the names above.
func (u *ui) key(k string) effect {
	if k == keyInterrupt {
		return effect{quit: true}
	}
	u.problem = ""
	switch {
	case u.asks == asksFilter:
		return u.type1(k)
	case u.asks == asksUpstream:
		u.asks = asksNothing
		if name, found := u.letters.upstream(k); found {
			return u.see("@" + name)
		}
		return effect{}
	case u.page != nil:
		u.pageKey(k)
		return effect{}
	case views[k] != "":
		return u.see(views[k])
	}
	switch k {
	case "q":
		return effect{quit: true}
	case "/":
		u.asks, u.typed = asksFilter, u.words
	case "u":
		if strings.HasPrefix(u.view, "@") {
			return u.see(u.view)
		}
		u.asks = asksUpstream
	case "p", " ":
		u.pause()
	case keyTab:
		if u.state != nil && len(u.state.Servers) > 1 {
			u.selected, u.paused = nil, nil
			u.next()
			return effect{ask: true}
		}
	case keyEscape, keyHome, "g":
		u.selected, u.line = nil, 0
	case keyEnter:
		if r := u.meant(); r != nil {
			u.page = raceOf(r)
		}
	case "w":
		if r := u.meant(); r != nil && r.race != nil {
			u.page = whyOf(r)
			return effect{fetch: u.page}
		}
	case "z":
		u.page = zonesPage()
		return effect{fetch: u.page}
	case "?", "h":
		u.page = helpPage()
	default:
		u.move(k)
	}
	return effect{}
}

// see shows races of one kind alone, or all again.
func (u *ui) see(view string) effect {
	if u.view == view {
		view = ""
	}
	before := u.request()
	if err := u.choose(u.words, view); err != nil {
		u.problem = err.Error()
	}
	return effect{ask: u.request() != before}
}

// type1 takes a key of a filter.
func (u *ui) type1(k string) effect {
	switch {
	case k == keyEscape:
		u.asks = asksNothing
	case k == keyEnter:
		words := strings.Join(strings.Fields(u.typed), " ")
		if _, err := control.Wanted(words); err != nil {
			u.problem, u.asks = err.Error(), asksNothing
			return effect{}
		}
		before := u.request()
		u.asks = asksNothing
		u.choose(words, u.view)
		return effect{ask: u.request() != before}
	case k == keyBackspace:
		u.typed = u.typed[:max(len(u.typed)-1, 0)]
	case len(k) == 1 && ' ' <= k[0] && k[0] <= '~' && len(u.typed) < 300:
		u.typed += k
	}
	return effect{}
}

// pause holds what is shown, or goes on.
func (u *ui) pause() {
	if u.paused != nil {
		u.paused, u.selected = nil, nil
		return
	}
	u.paused = append([]*row{}, u.races.all...)
}

// visible are the rows that have a line, the newest first.
func (u *ui) visible() (list []*row) {
	all := u.races.all
	if u.paused != nil {
		all = u.paused
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].visible() {
			list = append(list, all[i])
		}
	}
	return list
}

// at is where the row that is chosen is in a list; -1: none is.
func (u *ui) at(list []*row) int {
	if u.selected == nil {
		return -1
	}
	at := slices.Index(list, u.selected)
	if at < 0 { // it is too long ago, or not wanted any more
		u.selected = nil
	}
	return at
}

// meant is the row that is chosen, or the newest; nil: there is none.
func (u *ui) meant() *row {
	list := u.visible()
	if at := u.at(list); at >= 0 {
		return list[at]
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// move chooses another row.
func (u *ui) move(k string) {
	list := u.visible()
	by := map[string]int{keyUp: -1, "k": -1, keyDown: 1, "j": 1, keyPageUp: -u.room, keyPageDown: u.room, keyEnd: len(list)}[k]
	if by == 0 || len(list) == 0 {
		return
	}
	at := u.at(list)
	if at < 0 {
		if by < 0 {
			return
		}
		at, by = -1, max(by, 1)
		u.line = -1
	}
	to := max(min(at+by, len(list)-1), 0)
	u.line = max(min(u.line+to-at, u.room-1), 0)
	u.selected = list[to]
}
