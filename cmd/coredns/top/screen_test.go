package top

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// world is what the screens of tests show.
func world() *ui {
	s := state(all...)
	b := &s.Servers[0]
	b.Upstreams[1].State, b.Upstreams[1].Since, b.Upstreams[1].P50, b.Upstreams[1].P95 = "down", noon.Add(-11*time.Second), nil, nil
	m := newModel("", "", nil)
	for i := range 25 {
		if i == 20 {
			s.Servers[0].Upstreams[1].State = "down"
		}
		one := *s
		one.Servers = []api.Server{*b}
		one.Servers[0].Upstreams = append([]api.Upstream{}, b.Upstreams...)
		for j := range one.Servers[0].Upstreams {
			u := &one.Servers[0].Upstreams[j]
			u.Minute.Asked = u.Minute.Asked * (10 + (i*7+j)%5) / 15
			if i < 18 {
				u.State = "up"
			}
		}
		m.take(&one, noon.Add(time.Duration(i-25)*6*time.Second))
	}
	change := func(e *api.RaceEvent, change func(*api.RaceEvent)) *api.RaceEvent { change(e); return e }
	search := func(id int, domain string) *api.RaceEvent {
		return raced(id, "db.prod.example.org."+domain, "nxdomain", all, "nxdomain", "nxdomain", "nxdomain", "nxdomain")
	}
	for _, e := range []any{
		begun{},
		change(raced(1, "slow.example.net.", "good", all, "none", "down", "none", "good"), func(e *api.RaceEvent) { e.Seconds = 0.913 }),
		&api.UpstreamEvent{Event: api.Event{At: noon.Add(time.Second)}, Upstream: wg, State: "down", Why: "silent for 2s", Waiting: 3},
		search(2, "svc.cluster.local."), search(3, "cluster.local."), search(4, "corp.example."),
		raced(5, "db.prod.example.org.", "good", all, "nxdomain", "nxdomain", "good", "good"),
		raced(6, "nas.corp.exmaple.", "nxdomain", all, "nxdomain", "down", "nxdomain", "nxdomain"),
		change(raced(7, "git.corp2.example.", "nxdomain", all, "nxdomain", "down", "nxdomain", "nxdomain"), func(e *api.RaceEvent) {
			e.Rcode, e.Changed, e.Upstream, e.Upstreams[0].Winner, e.Seconds = "SERVFAIL", to(api.ChangedAway), nil, false, 0.061
		}),
		change(raced(8, "intra.example.org.", "good", all, "good", "down", "good", "good"), func(e *api.RaceEvent) { e.Differ = []string{tun, wlan, quad} }),
		change(raced(9, "www.example.org.", "good", all, "unasked", "unasked", "good", "unasked"), func(e *api.RaceEvent) {
			e.Type, e.Data, e.Seconds, e.Asked = "AAAA", to("2001:db8:1234:5678::5, 2001:db8:1234:5678::6"), 0.0042, api.AskedKnower
		}),
		change(raced(10, "www.example.org.", "good", all), func(e *api.RaceEvent) {
			e.Cached, e.Upstream, e.Data, e.KeptUntil, e.Seconds = true, to(wlan), to("192.0.2.7"), to(noon.Add(time.Minute)), 0
		}),
		raced(11, "printer.lan.", "nodata", all, "nxdomain", "down", "nodata", "nxdomain"),
		change(raced(12, "ads.example.net.", "good", all, "none", "down", "none", "good"), func(e *api.RaceEvent) { e.Filtered, e.Data = true, to("0.0.0.0") }),
		raced(13, "broken.example.", "servfail", all, "servfail", "down", "refused", "servfail"),
		raced(14, "late.corp.example.", "nxdomain", all, "nxdomain", "none", "nxdomain", "nxdomain"),
		&api.LateEvent{ID: "e", Upstream: wg, Seconds: 2.2, Verdict: "good", WouldHaveWon: true},
		raced(15, strings.Repeat("a-name-that-is-much-too-long.", 6)+"example.", "good", all, "good", "down", "none", "nxdomain"),
	} {
		m.take(e, noon.Add(31*time.Second))
	}
	return &ui{model: m, width: 120, height: 30}
}

var painted = regexp.MustCompile("\x1b\\[[0-9]*m")

// screen is what is drawn. It requires that all of it is within the terminal, and that colours change
// nothing but colours.
func screen(t *testing.T, u *ui, set []rune) string {
	t.Helper()
	plain := u.lines()
	u.colour = true
	for i, line := range u.lines() {
		if painted.ReplaceAllString(line, "") != plain[i] {
			t.Errorf("colours change more than colours:\n%q\n%q", line, plain[i])
		}
	}
	u.colour = false
	if len(plain) != u.height {
		t.Errorf("%d lines, want %d", len(plain), u.height)
	}
	var b strings.Builder
	for _, line := range plain {
		line = strings.TrimRight(glyphs(line, set), " ")
		if n := len([]rune(line)); n > u.width && u.width > 0 {
			t.Errorf("%d columns, want %d: %s", n, u.width, line)
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func TestScreens(t *testing.T) {
	for _, tc := range []struct {
		file          string
		width, height int
		set           []rune
		keys          string
	}{
		{"120x30", 120, 30, drawn, ""},
		{"80x24", 80, 24, drawn, ""},
		{"60x15", 60, 15, drawn, ""},
		{"ascii", 120, 30, ascii, ""},
		{"small", 50, 9, ascii, ""},
		{"chosen", 120, 30, ascii, "down,down,down"},
		{"denied", 80, 24, ascii, "d,down"},
		{"differ", 80, 24, ascii, "x,enter"},
		{"kept", 80, 24, ascii, "/,w,w,w,.,e,x,a,m,p,l,e,.,o,r,g,enter,enter"},
		{"search", 80, 24, ascii, "/,d,b,.,p,r,o,d,.,e,x,a,m,p,l,e,.,o,r,g,enter,enter"},
		{"prompt", 60, 15, ascii, "/,c,o,r,p"},
		{"wrong", 60, 15, ascii, "/,>,enter"},
		{"help", 60, 40, drawn, "?"},
	} {
		u := world()
		u.width, u.height = tc.width, tc.height
		u.lines() // so that it is known how much has room
		for k := range strings.SplitSeq(tc.keys, ",") {
			u.key(k)
		}
		testkit.Golden(t, filepath.Join("testdata", tc.file+".txt"), screen(t, u, tc.set))
	}
}

// Whatever is shown, and however large the terminal is, it is within that.
func TestSizes(t *testing.T) {
	for _, keys := range []string{"", "d", "enter", "?", "down,down", "end", "/,a,b", "p", "u", "z", "w", "home,end,page up,page down,tab,x,x,escape"} {
		u := world()
		for k := range strings.SplitSeq(keys, ",") {
			u.key(k)
		}
		for width := 0; width < 130; width += 3 {
			u.width = width
			for _, height := range []int{0, 1, 5, 11, 12, 13, 15, 24, 60} {
				u.height = height
				screen(t, u, drawn)
			}
		}
	}
	// There may be many upstreams.
	u := world()
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprintf("https://a-host-of-a-long-name-%d.example/dns-query", i))
	}
	s := state(names...)
	s.Servers[0].Upstreams[60].State = "gone"
	u.take(s, noon.Add(time.Hour))
	for _, size := range [][2]int{{60, 12}, {80, 24}, {120, 30}, {300, 100}} {
		u.width, u.height = size[0], size[1]
		text := screen(t, u, ascii)
		if !strings.Contains(text, " gone ") || !strings.Contains(text, "more") && size[1] < 100 {
			t.Errorf("%v: the one that is not up is not shown:\n%s", size, text)
		}
	}
}

// Names, and what upstreams say, draw nothing but printable ASCII.
func TestHostile(t *testing.T) {
	u := world()
	e := raced(20, testkit.Hostile, "good", all, "good", "nxdomain")
	e.Data, e.Type, e.Differ = to(testkit.Hostile), testkit.Hostile, []string{testkit.Hostile}
	u.races.add(&row{race: e, at: noon, wanted: true}) // past what makes text safe
	u.note(noon, testkit.Hostile)
	u.state.Servers[0].Upstreams[0].Upstream = testkit.Hostile
	u.problem = testkit.Hostile
	for _, keys := range []string{"", "enter", "down,down,enter"} {
		for k := range strings.SplitSeq(keys, ",") {
			u.key(k)
		}
		for _, line := range u.lines() {
			for _, r := range glyphs(line, ascii) {
				if r < ' ' || r > '~' {
					t.Fatalf("%q in %q", r, line)
				}
			}
		}
	}
}

// The row that is chosen stays where it is while others come; what is paused does not change.
func TestChosen(t *testing.T) {
	u := world()
	u.lines()
	for range 3 {
		u.key(keyDown)
	}
	chosen := u.selected
	where := func() int {
		for i, line := range u.lines() {
			if strings.HasPrefix(line, ">") {
				return i
			}
		}
		return -1
	}
	at := where()
	for i := range 40 {
		u.take(raced(100+i, fmt.Sprintf("new%d.example.", i), "good", all, "good"), noon.Add(time.Minute))
	}
	if u.selected != chosen || where() != at || at < 0 {
		t.Errorf("it has moved from %d to %d", at, where())
	}
	if text := u.shown(); !strings.Contains(text, "42 lines are newer") {
		t.Error(text)
	}
	u.key(keyEscape)
	if text := strings.Join(u.lines(), "\n"); !strings.Contains(text, "new39.example") || u.selected != nil {
		t.Errorf("what is new is not shown:\n%s", text)
	}
	u.key("p")
	before := strings.Join(u.lines()[6:], "\n")
	for i := range 40 {
		u.take(raced(200+i, fmt.Sprintf("newer%d.example.", i), "good", all, "good"), noon.Add(time.Minute))
	}
	if after := strings.Join(u.lines()[6:], "\n"); after != before {
		t.Errorf("paused:\n%s\nthen\n%s", before, after)
	}
	u.key("p")
	if text := strings.Join(u.lines(), "\n"); !strings.Contains(text, "newer39.example") {
		t.Errorf("it does not go on:\n%s", text)
	}
	for i := range maxRows {
		u.take(raced(1000+i, "x.", "good", all, "good"), noon.Add(time.Minute))
	}
	u.key(keyEnd)
	u.key(keyPageUp)
	if u.lines(); u.selected == nil {
		t.Error("the last one cannot be chosen")
	}
	u.take(raced(9000, "x.", "good", all, "good"), noon.Add(time.Minute))
	u.key(keyEnter)
	if u.page == nil {
		t.Error("nothing is shown of the one that is chosen")
	}
}
