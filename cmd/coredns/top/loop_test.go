package top

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gdamore/tcell/v3/vt"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// server is one that tells what it is given to tell.
type server struct {
	events chan any // nil ends a connection

	mu      sync.Mutex
	state   *api.State
	filters []string // of connections
	refuses string   // this filter
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	state, filter := s.state, r.URL.Query().Get(api.ParamFilter)
	if r.URL.Path == api.Events {
		s.filters = append(s.filters, filter)
	}
	refuses := s.refuses != "" && filter == s.refuses
	s.mu.Unlock()
	e := json.NewEncoder(w)
	switch r.URL.Path {
	case api.Status:
		e.Encode(state)
	case api.History:
		old := api.Remembered{Race: raced(1, "remembered.example.", "nxdomain", all, "nxdomain", "none").Race, Count: 3}
		old.Why = api.Why{Kind: api.WhyInconclusive, Text: "Nobody knows why."}
		e.Encode(old)
	case api.Zones:
		e.Encode(api.Zone{Zone: "corp.example.", KnownBy: []api.Knower{{Upstream: tun}}})
	case api.Events:
		if refuses {
			w.WriteHeader(http.StatusBadRequest)
			e.Encode(api.Error{Error: "that is no filter"})
			return
		}
		e.Encode(api.Event{Event: api.EventBegin})
		w.(http.Flusher).Flush()
		for {
			select {
			case event := <-s.events:
				if event == nil {
					return
				}
				e.Encode(event)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}
}

// asked are the filters of all connections.
func (s *server) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.filters, "|")
}

// terminal is one on which the command runs.
type terminal struct {
	*testing.T
	vt.MockTerm
	server        *server
	width, height int
	ended         chan int
}

// onTerminal runs the command until the end of the test.
func onTerminal(t *testing.T, words string) *terminal {
	term := &terminal{T: t, server: &server{events: make(chan any), state: state(all...)}, width: 130, height: 24, ended: make(chan int, 1)}
	path := testkit.Socket(t, term.server)
	term.MockTerm = vt.NewMockTerm(vt.MockOptSize{X: 130, Y: 24})
	c := client.NewCommand("dnsmus", Name, show.Screen{Writer: io.Discard, Live: true}, io.Discard)
	if status, ok := c.Parse([]string{"-s", path}, -1, ""); !ok {
		t.Fatal(status)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		if status := <-term.ended; status != 0 {
			t.Errorf("status %d", status)
		}
	})
	go func() { term.ended <- run(ctx, c, term.server.state, words, true, term.MockTerm) }()
	return term
}

// shown is what the terminal shows.
func (t *terminal) shown() string {
	var b strings.Builder
	for y := range t.height {
		for x := range t.width {
			text := t.GetCell(vt.Coord{X: vt.Col(x), Y: vt.Row(y)}).C
			if text == "" {
				text = " "
			}
			b.WriteString(text)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// shows waits until all words are shown, and those after "!" are not.
func (t *terminal) shows(words ...string) {
	t.Helper()
	testkit.Eventually(t, func() error {
		text := t.shown()
		for _, word := range words {
			absent, not := strings.CutPrefix(word, "!")
			if strings.Contains(text, absent) == not {
				return fmt.Errorf("%q: in the terminal is\n%s", word, text)
			}
		}
		return nil
	})
}

func (t *terminal) press(keys string) { t.SendRaw([]byte(keys)) }

func TestLoop(t *testing.T) {
	term := onTerminal(t, "")
	term.shows("a 10.1.0.53%tun0", "remembered.example", "3 times", "live")
	term.server.events <- raced(2, "wiki.corp.example.", "good", all, "good", "nxdomain", "nxdomain", "nxdomain")
	term.shows("wiki.corp.example", "10.1.0.10", "*   nx  nx  nx")
	term.press("d")
	term.shows("only: denied", "remembered.example", "!wiki.corp.example")
	term.press("d")
	term.shows("wiki.corp.example", "!only: denied")
	term.press("\r")
	term.shows("Query at", "wiki.corp.example. A: NOERROR after 12 ms, the reply of 10.1.0.53%tun0")
	term.press("q\x1b[B\x1b[Bw")
	term.shows("Why: ", "Nobody knows why.")
	term.press("qz")
	term.shows("ZONE", "corp.example.  10.1.0.53%tun0")
	term.press("q?")
	term.shows("its reply was given")
	term.press("q/example.org\r")
	term.shows("only: example.org", "!wiki.corp.example")
	testkit.Eventually(t, func() error {
		if got := term.server.asked(); got != "|example.org" {
			return fmt.Errorf("asked for %q", got)
		}
		return nil
	})
	term.press("/" + strings.Repeat("\x7f", 20) + "\r")
	term.shows("wiki.corp.example")
	term.press("q")
	if status := <-term.ended; status != 0 {
		t.Errorf("status %d", status)
	}
	term.ended <- 0
}

// When the server ends and another takes its place, the command goes on with that.
func TestServerBeginsAnew(t *testing.T) {
	term := onTerminal(t, "")
	term.server.events <- raced(2000, "before.example.", "good", all, "good")
	term.shows("before.example")
	term.server.mu.Lock()
	term.server.state = change2(state("192.0.2.1"))
	term.server.mu.Unlock()
	term.server.events <- nil
	term.shows("the server has ended")
	term.server.events <- raced(5, "after.example.", "good", []string{"192.0.2.1"}, "good")
	term.shows("after.example", "before.example", "connected again, to process 900", "a 192.0.2.1", "!10.1.0.53", "live")
	text := term.shown()
	if strings.Index(text, "after.example") > strings.Index(text, "before.example") {
		t.Errorf("the later one is below:\n%s", text)
	}
}

// A filter that the server does not take is said to be wrong, and all is shown.
func TestRefused(t *testing.T) {
	term := onTerminal(t, "")
	term.server.refuses = "@192.0.2.9"
	term.shows("live")
	term.press("/@192.0.2.9\r")
	term.shows("that is no filter")
	term.server.events <- raced(2, "wiki.corp.example.", "good", all, "good")
	term.shows("wiki.corp.example", "!only:")
}

// The terminal may get any size at any time.
func TestResized(t *testing.T) {
	term := onTerminal(t, "")
	term.shows("LAST TWO MINUTES", "BY a   b   c   d")
	for _, size := range []struct {
		width, height int
		words         []string
	}{
		{60, 15, []string{"TIME      NAME", "!BY", "live"}}, {20, 5, []string{"The terminal has 20"}}, {150, 50, []string{"BY a   b   c   d", "u upstream"}}, {80, 24, []string{"MS  BY", "!BY a"}},
	} {
		term.width, term.height = size.width, size.height
		term.SetSize(vt.Coord{X: vt.Col(size.width), Y: vt.Row(size.height)})
		term.shows(size.words...)
	}
}

// Without a terminal, and with what it cannot do, it says what to do.
func TestWrong(t *testing.T) {
	for want, tc := range map[string]struct {
		live bool
		args []string
	}{
		"'dnsmus tail' shows the same":     {false, nil},
		"'dnsmus tail --json' has":         {true, []string{"--json"}},
		"is no word of a filter":           {true, []string{"deneid"}},
		"a word of FILTER is empty":        {true, []string{""}},
		"there is no socket at /nowhere":   {true, []string{"-s", "/nowhere"}},
		"unknown option -asci":             {true, []string{"--asci"}},
		"\"asked:x\": asked is one of all": {true, []string{"asked:x"}},
	} {
		var problems bytes.Buffer
		c := client.NewCommand("dnsmus", Name, show.Screen{Writer: io.Discard, Live: tc.live}, &problems)
		if status := Run(t.Context(), c, tc.args); status != 64 && status != 69 || !strings.Contains(problems.String(), want) {
			t.Errorf("%q: status %d, %s, want %s", tc.args, status, problems.String(), want)
		}
	}
	var out bytes.Buffer
	c := client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, io.Discard)
	if status := Run(t.Context(), c, []string{"-h"}); status != 0 || !strings.Contains(out.String(), "--ascii") || strings.Contains(out.String(), "--json") {
		t.Errorf("status %d, %s", status, out.String())
	}
}
