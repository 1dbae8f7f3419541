package top

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func expect(t *testing.T, what string, m *model, want ...string) {
	t.Helper()
	if got := shows(m); !slices.Equal(got, want) {
		t.Errorf("%s: shows\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// What a search list led to is part of the answer that came then, if all upstreams denied it.
func TestFolding(t *testing.T) {
	denied := func(id int, name string) *api.RaceEvent {
		return raced(id, name, "nxdomain", all, "nxdomain", "nxdomain", "nxdomain", "nxdomain")
	}
	good := func(id int, name string) *api.RaceEvent {
		return raced(id, name, "good", all, "good", "nxdomain", "nxdomain", "nxdomain")
	}
	change := func(e *api.RaceEvent, change func(*api.RaceEvent)) *api.RaceEvent { change(e); return e }
	const name, one, two = "www.example.org", "www.example.org.corp.example", "www.example.org.lan"
	for _, tc := range []struct {
		what   string
		events []any
		want   []string
	}{
		{"a name and its search list", []any{denied(1, one+"."), denied(2, two+"."), good(3, name+".")}, []string{name + " (x3)"}},
		{"nobody answers", []any{denied(1, one+"."), denied(2, two+"."), denied(3, name+".")}, []string{name, two, one}},
		{"another name is answered", []any{denied(1, one+"."), good(2, "www.example.com.")}, []string{"www.example.com", one}},
		{"a longer name is answered", []any{denied(1, name+"."), good(2, one+".")}, []string{one, name}},
		{"a part of a label", []any{denied(1, "xwww.example.org.lan."), good(2, name+".")}, []string{name, "xwww.example.org.lan"}},
		{"the answer comes late", []any{denied(1, one+"."), good(30, name+".")}, []string{name, one}},
		{"the answer comes first", []any{good(1, name+"."), denied(2, one+".")}, []string{one, name}},
		{"some upstream has no opinion", []any{raced(1, one+".", "nxdomain", all, "nxdomain", "down", "nxdomain", "nxdomain"), good(2, name+".")}, []string{name + " (x2)"}},
		{
			"some upstream has no opinion of a short name",
			[]any{denied(1, one+"."), denied(2, two+"."), good(3, name+"."), raced(100, "nas.corp.example.", "nxdomain", all, "nxdomain", "down"), good(101, "nas.lan.")},
			[]string{"nas.lan", "nas.corp.example", name + " (x3)"},
		},
		{"a failure", []any{raced(1, one+".", "servfail", all, "servfail"), good(2, name+".")}, []string{name, one}},
		{"in place of a denial", []any{change(denied(1, one+"."), func(e *api.RaceEvent) { e.Changed = to(api.ChangedAway) }), good(2, name+".")}, []string{name, one}},
		{"a filter's", []any{change(denied(1, one+"."), func(e *api.RaceEvent) { e.Filtered = true }), good(2, name+".")}, []string{name, one}},
		{"MX", []any{change(denied(1, one+"."), func(e *api.RaceEvent) { e.Type = "MX" }), good(2, name+".")}, []string{name, one}},
		{"A and AAAA", []any{denied(1, one+"."), change(denied(2, one+"."), func(e *api.RaceEvent) { e.Type = "AAAA" }), good(3, name+".")}, []string{name + " (x3)"}},
		{
			"a short name, once its search list is known",
			[]any{denied(1, one+"."), denied(2, two+"."), good(3, name+"."), denied(100, "nas.corp.example."), good(101, "nas.lan.")},
			[]string{"nas.lan (x2)", name + " (x3)"},
		},
		{"a short name, of which it is not", []any{denied(100, "nas.corp.example."), good(101, "nas.lan.")}, []string{"nas.lan", "nas.corp.example"}},
		{
			"a good answer came late after all", []any{denied(1, one+"."), good(2, name+"."), &api.LateEvent{ID: "1", Upstream: wg, Seconds: 2, Verdict: "good", WouldHaveWon: true}},
			[]string{name, one},
		},
		{"of another server", []any{denied(1, one+"."), change2(state(all...)), good(2, name+".")}, []string{name, one}},
	} {
		expect(t, tc.what, told(tc.events...), tc.want...)
	}

	// With a key for denials they stay part of the answer; a filter that the answer does not pass shows them.
	m := told(denied(1, one+"."), good(2, name+"."))
	m.choose("", "denied")
	expect(t, "denied", m)
	m.choose("corp.example", "")
	expect(t, "filter", m, one)
	m.choose("", "")
	expect(t, "no filter", m, name+" (x2)")

	m = newModel("", "", []string{"corp.example", "lan"})
	m.take(state(all...), noon)
	for _, e := range []any{denied(1, "nas.corp.example."), good(2, "nas.lan.")} {
		m.take(e, noon)
	}
	expect(t, "the system's search list", m, "nas.lan (x2)")
}

// change2 is the state of a server that has begun anew.
func change2(s *api.State) *api.State {
	s.Since, s.PID = noon, 900
	return s
}

// Whatever search domains are learned, there are not more and more of them.
func TestSuffixesAreBounded(t *testing.T) {
	var s suffixes
	for i := range 1000 {
		s.same(fmt.Sprintf("www.example.org.d%d.example.", i), "www.example.org.")
		s.add(".")
		s.add("")
	}
	if len(s.all) != maxSuffixes || s.all[maxSuffixes-1] != ".d999.example." {
		t.Errorf("%d: %q", len(s.all), s.all)
	}
}

// A late reply changes its upstream's cell, and marks a denial that was wrong.
func TestLate(t *testing.T) {
	m := told(raced(1, "nas.corp.example.", "nxdomain", all, "nxdomain", "none", "nxdomain", "none"))
	r := m.races.find("1")
	cells := func() (text string) {
		for i := range r.race.Upstreams {
			text += cell(&r.race.Outcome, &r.race.Upstreams[i]) + " "
		}
		return text
	}
	if got := cells(); got != "* "+gSilent+" nx "+gSilent+" " || r.wrong || !matters(r) {
		t.Errorf("%q", got)
	}
	m.take(&api.LateEvent{ID: "1", Upstream: quad, Seconds: 1, Verdict: "nxdomain"}, noon)
	m.take(&api.LateEvent{ID: "1", Upstream: "unheard of", Seconds: 1, Verdict: "nxdomain"}, noon)
	m.take(&api.LateEvent{ID: "2", Upstream: tun, Seconds: 1, Verdict: "good", WouldHaveWon: true}, noon)
	if got := cells(); got != "* "+gSilent+" nx ~nx " || r.wrong {
		t.Errorf("%q", got)
	}
	m.take(&api.LateEvent{ID: "1", Upstream: wg, Seconds: 2, Verdict: "good", WouldHaveWon: true}, noon)
	if got := cells(); got != "* ~= nx ~nx " || !r.wrong || !matters(r) {
		t.Errorf("%q, wrong %v", got, r.wrong)
	}
	if text := (&ui{model: m}).remark(r); !strings.Contains(text, "denial was wrong") {
		t.Error(text)
	}
}

func TestCells(t *testing.T) {
	o := &api.Outcome{Differ: []string{wlan}}
	for want, l := range map[string]api.Leg{
		"*": {Winner: true, Verdict: "good", Seconds: to(0.1)}, "=": {Upstream: wg, Verdict: "good", Seconds: to(0.1), Rcode: to("NOERROR")},
		gDiffers: {Upstream: wlan, Verdict: "good", Seconds: to(0.1)}, "nx": {Verdict: "nxdomain", Seconds: to(0.1), Rcode: to("NXDOMAIN")},
		"nd": {Verdict: "nodata", Seconds: to(0.1), Rcode: to("NOERROR")}, "sf": {Verdict: "servfail", Seconds: to(0.1), Rcode: to("SERVFAIL")},
		"er": {Verdict: "none", Seconds: to(0.1)}, "~sf": {Verdict: "servfail", Seconds: to(0.1), Rcode: to("SERVFAIL"), Late: true},
		gSilent: {Verdict: "none"}, gDown: {Verdict: "none", Down: true}, "-": {Verdict: "none", Unasked: true, Down: true},
		"?": {Verdict: "unheard of", Seconds: to(0.1), Rcode: to("X")},
	} {
		if got := cell(o, &l); got != want {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
}

// Races stand in the order of their numbers, whatever clocks say, and each once.
func TestOrder(t *testing.T) {
	back := raced(3, "c.", "good", all, "good")
	back.At = noon.Add(-time.Hour)
	m := told(raced(1, "a.", "good", all, "good"), raced(2, "b.", "good", all, "good"), back, raced(16, "e.", "good", all, "good"), raced(15, "d.", "good", all, "good"))
	expect(t, "clock set back", m, "e", "d", "c", "b", "a")
	m.take(&api.Remembered{Race: raced(2, "b.", "good", all, "good").Race, Count: 3}, noon)
	expect(t, "told twice", m, "e", "d", "c", "b", "a")
	m.take(&api.LostEvent{Events: 2}, noon)
	m.take(raced(17, "f.", "good", all, "good"), noon)
	m.take(raced(14, "late.", "good", all, "good"), noon)
	lost := "2 events were lost: this command is too slow for all of them; a filter helps"
	expect(t, "lost", m, "f", lost, "e", "d", "late", "c", "b", "a")
	m.take(change2(state(all...)), noon)
	m.take(raced(1, "a2.", "good", all, "good"), noon)
	expect(t, "server begun anew", m, "a2", "f", lost, "e", "d", "late", "c", "b", "a")
	m.take(raced(18, "of another block.", "good", all, "good"), noon)
	other := raced(19, "x.", "good", all, "good")
	other.Server = "127.0.0.1:54"
	m.take(other, noon)
	if got := shows(m); got[0] != "of another block" {
		t.Errorf("%q", got)
	}
}

// Changes of upstreams are told between the races. Letters stay with their upstreams, and no cell
// is of one that there is not.
func TestReplaced(t *testing.T) {
	m := told(
		raced(1, "a.", "good", all, "good", "nxdomain", "nxdomain", "nxdomain"),
		&api.UpstreamEvent{Event: api.Event{At: noon.Add(time.Second)}, Upstream: wg, State: "gone", Why: "wg0 is down"},
		&api.UpstreamEvent{Event: api.Event{At: noon.Add(9 * time.Second)}, Upstream: wg, State: "up"},
		&api.UpstreamEvent{Upstream: "unheard of", State: "down"},
		&api.ListEvent{Upstreams: []string{tun, "192.0.2.1", quad}, Added: []string{"192.0.2.1"}, Removed: []string{wg, wlan}},
	)
	expect(t, "events", m,
		"the upstreams are "+tun+", 192.0.2.1 and "+quad+"; new: 192.0.2.1; gone: "+wg+" and "+wlan,
		"upstream unheard of is down", "upstream "+wg+" is up", "upstream "+wg+" is gone: wg0 is down", "a")
	if u := m.upstream(wg); u.State != "up" || !u.Since.Equal(noon.Add(9*time.Second)) {
		t.Errorf("%+v", u)
	}
	m.take(state(tun, "192.0.2.1", quad), noon)
	m.take(raced(2, "b.", "good", []string{tun, "192.0.2.1", quad}, "good", "nodata", "nxdomain"), noon)
	for name, want := range map[string]string{tun: "a", "192.0.2.1": "b", quad: "d", wg: "?", wlan: "?", "": "?"} {
		if got := m.letters.of(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	for letter, want := range map[string]string{"a": tun, "b": "192.0.2.1", "c": "", "d": quad, "e": "", "": "", "up": "", "~": ""} {
		if got, _ := m.letters.upstream(letter); got != want {
			t.Errorf("%q: %q, want %q", letter, got, want)
		}
	}
	u := &ui{model: m, width: 120, height: 30}
	text := strings.Join(u.lines(), "\n")
	for _, want := range []string{"a  *   nd      nx", "a  *           nx", "BY a   b       d"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
