package top

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// drawEvery is how often what came from the server is drawn, at most.
const drawEvery = 150 * time.Millisecond

// waiting is how many events may wait to be taken. More wait in the connection, and then at the
// server, which drops the oldest and says so.
const waiting = 256

// loop is a run: the terminal, and who asks the server.
type loop struct {
	c    *client.Command
	ui   *ui
	set  []rune // of glyphs
	term tcell.Screen

	told   chan any     // by who follows
	pages  chan fetched // by others
	asking sync.WaitGroup
	stop   context.CancelFunc // of who follows
}

// run shows a server of that state on a terminal until q is pressed or ctx ends. Tty is nil but in tests.
func run(ctx context.Context, c *client.Command, state *api.State, words string, onlyASCII bool, tty tcell.Tty) int {
	tcell.SetEncodingFallback(tcell.EncodingFallbackASCII)
	term, err := tcell.NewTerminfoScreenFromTty(tty, tcell.OptNegotiation(false), tcell.OptSanitizeContent(true))
	if err == nil {
		err = term.Init()
	}
	if err != nil {
		return c.Wrong("the terminal cannot be used (%v); '%s tail' shows the same line by line", err, c.Program)
	}
	defer term.Fini()
	ctx, stop := context.WithCancel(ctx)
	l := &loop{c: c, term: term, set: drawn, pages: make(chan fetched), stop: func() {}}
	defer l.asking.Wait()
	defer stop()
	if onlyASCII {
		l.set = ascii
	}
	l.ui = &ui{model: newModel(c.Server(), words, client.SearchDomains()), colour: c.Out.Colour}
	l.ui.take(state, time.Now())
	l.ui.width, l.ui.height = term.Size()
	l.follow(ctx)
	l.turn(ctx)
	return 0
}

// turn takes what comes, and draws, until it is to end.
func (l *loop) turn(ctx context.Context) {
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	changed := true
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-l.term.EventQ():
			if !ok || l.input(ctx, event) {
				return
			}
			l.draw()
			changed = false
		case f := <-l.pages:
			f.page.text = f.text
			changed = true
		case told := <-l.told:
			l.take(ctx, told)
			changed = true
		case now := <-tick.C:
			if changed || now.Unix() != l.ui.now.Unix() {
				l.ui.now = now
				l.draw()
				changed = false
			}
		}
	}
}

// take takes what was told.
func (l *loop) take(ctx context.Context, told any) {
	if no, is := told.(refused); is {
		l.ui.problem = no.why
		l.ui.choose("", "")
		l.follow(ctx)
		return
	}
	if l.ui.take(told, time.Now()) {
		l.follow(ctx)
	}
	if _, state := told.(*api.State); state && l.ui.page != nil && l.ui.page.fetch != nil {
		l.fetch(ctx, l.ui.page)
	}
}

// follow asks the server for what is wanted now, in place of what was.
func (l *loop) follow(ctx context.Context) {
	l.stop()
	ctx, l.stop = context.WithCancel(ctx)
	r, told := l.ui.request(), make(chan any, waiting)
	l.told, l.ui.live = told, false
	l.asking.Go(func() {
		follow(ctx, l.c, r, func(v any) {
			select {
			case told <- v:
			case <-ctx.Done():
			}
		})
	})
}

func (l *loop) fetch(ctx context.Context, p *page) {
	r := l.ui.request()
	l.asking.Go(func() {
		select {
		case l.pages <- p.get(ctx, l.c, r):
		case <-ctx.Done():
		}
	})
}

// input takes an event of the terminal, and reports whether it is the end.
func (l *loop) input(ctx context.Context, event tcell.Event) (end bool) {
	switch e := event.(type) {
	case *tcell.EventResize:
		l.ui.width, l.ui.height = e.Size()
		l.term.Sync()
	case *tcell.EventKey:
		does := l.ui.key(keyOf(e))
		if does.ask {
			l.follow(ctx)
		}
		if does.fetch != nil {
			l.fetch(ctx, does.fetch)
		}
		return does.quit
	}
	return false
}

// keyOf is a key as the model names it.
func keyOf(e *tcell.EventKey) string {
	switch e.Key() {
	case tcell.KeyRune:
		return e.Str()
	case tcell.KeyUp:
		return keyUp
	case tcell.KeyDown:
		return keyDown
	case tcell.KeyPgUp:
		return keyPageUp
	case tcell.KeyPgDn:
		return keyPageDown
	case tcell.KeyHome:
		return keyHome
	case tcell.KeyEnd:
		return keyEnd
	case tcell.KeyEnter:
		return keyEnter
	case tcell.KeyEscape:
		return keyEscape
	case tcell.KeyBackspace, tcell.KeyDelete:
		return keyBackspace
	case tcell.KeyTab:
		return keyTab
	case tcell.KeyCtrlC:
		return keyInterrupt
	}
	return ""
}

// draw draws all; the library sends what has changed.
func (l *loop) draw() {
	l.term.Clear()
	for y, line := range l.ui.lines() {
		x, style := 0, tcell.StyleDefault
		for i, part := range strings.Split(line, "\x1b[") {
			if code, rest, _ := strings.Cut(part, "m"); i > 0 && styles[code] != nil {
				style, part = styles[code](style), rest
			}
			for _, r := range glyphs(part, l.set) {
				l.term.SetContent(x, y, r, nil, style)
				x++
			}
		}
	}
	l.term.HideCursor()
	l.term.Show()
}

// styles are those of package show, by their SGR parameters.
var styles = map[string]func(tcell.Style) tcell.Style{
	"0":          func(tcell.Style) tcell.Style { return tcell.StyleDefault },
	show.Bold:    func(s tcell.Style) tcell.Style { return s.Bold(true) },
	show.Dim:     func(s tcell.Style) tcell.Style { return s.Dim(true) },
	show.Reverse: func(s tcell.Style) tcell.Style { return s.Reverse(true) },
	show.Red:     func(s tcell.Style) tcell.Style { return s.Foreground(color.Maroon) },
	show.Green:   func(s tcell.Style) tcell.Style { return s.Foreground(color.Green) },
	show.Yellow:  func(s tcell.Style) tcell.Style { return s.Foreground(color.Olive) },
}
