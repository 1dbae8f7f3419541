package handler

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// controlledHandler is a handler with a control socket.
func controlledHandler(t *testing.T, change func(*Config), upstreams ...netip.AddrPort) *Handler {
	t.Helper()
	return knowingHandler(t, testkit.Patience, func(c *Config) {
		c.Control, c.Socket = true, filepath.Join(testkit.SocketDir(t), "control")
		if change != nil {
			change(c)
		}
	}, upstreams...)
}

// overSocket asks a handler's control socket, and returns the reply.
func overSocket(t *testing.T, h *Handler, method, path, body string) *http.Response {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.cfg.Socket)
	}}}
	r, err := http.NewRequestWithContext(t.Context(), method, "http://dnsmus"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 {
		text, _ := bufio.NewReader(resp.Body).ReadString('\n')
		t.Fatalf("%s %s: %s %s", method, path, resp.Status, text)
	}
	return resp
}

// linesOf are the lines of a reply.
func linesOf[T any](t *testing.T, resp *http.Response) (all []T) {
	t.Helper()
	for d := json.NewDecoder(resp.Body); d.More(); {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func historyOf(t *testing.T, h *Handler, query string) []api.Remembered {
	t.Helper()
	return linesOf[api.Remembered](t, overSocket(t, h, "GET", api.History+"?"+query, ""))
}

func stateOf(t *testing.T, h *Handler) api.Server {
	t.Helper()
	state := linesOf[api.State](t, overSocket(t, h, "GET", api.Status, ""))[0]
	if len(state.Servers) != 1 {
		t.Fatalf("%+v", state)
	}
	return state.Servers[0]
}

// watcher reads events.
type watcher struct {
	resp  *http.Response
	lines *bufio.Scanner
}

// anEvent has what tests look at, of any event.
type anEvent struct {
	WouldHaveWon bool     `json:"would_have_won"`
	State        string   `json:"state"`
	Added        []string `json:"added"`
	Removed      []string `json:"removed"`
	Verdict      string   `json:"verdict"`
	Upstream     string   `json:"upstream"`
	ID           string   `json:"id"`
	Kind         string   `json:"event"`
	Cached       bool     `json:"cached"`
	Data         string   `json:"data"`
	Name         string   `json:"name"`
}

// newWatcher reads events from when it returns on.
func newWatcher(t *testing.T, h *Handler, filter string) *watcher {
	t.Helper()
	resp := overSocket(t, h, "GET", api.Events+"?filter="+filter, "")
	w := &watcher{resp: resp, lines: bufio.NewScanner(resp.Body)}
	w.lines.Buffer(nil, 1<<20)
	w.next(t, api.EventBegin)
	return w
}

// next returns the next event of a kind.
func (w *watcher) next(t *testing.T, kind string) (e anEvent) {
	t.Helper()
	for w.lines.Scan() {
		e = anEvent{}
		if err := json.NewDecoder(bytes.NewReader(w.lines.Bytes())).Decode(&e); err != nil {
			t.Fatalf("%v: %s", err, w.lines.Text())
		}
		if e.Kind == kind {
			return e
		}
	}
	t.Fatalf("no %s came: %v", kind, w.lines.Err())
	return e
}

// Those who watch see races, what dnsmus's own cache answers, and other upstreams; and the end.
func TestR25Events(t *testing.T) {
	t.Parallel()
	first, second := resolver(t, denies(good)), resolver(t, denies(good))
	h := controlledHandler(t, func(c *Config) { c.Cache = 1024 }, first)
	all, denied := newWatcher(t, h, ""), newWatcher(t, h, "denied")
	askHandler(t, h, question("a.corp.example.", dns.TypeA))
	e := all.next(t, api.EventRace)
	if e.Name != "a.corp.example." || e.Verdict != "good" || e.Upstream != first.String() || e.Cached || e.Data != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	askHandler(t, h, question("A.corp.example.", dns.TypeA))
	if e := all.next(t, api.EventRace); e.Name != "a.corp.example." || e.Upstream != first.String() || !e.Cached || e.Data != "192.0.2.1" {
		t.Errorf("%+v", e)
	}
	added, removed := replace(h.pool, plain(second))
	h.replaced(added, removed)
	if e := all.next(t, api.EventList); !slices.Equal(e.Added, []string{second.String()}) || !slices.Equal(e.Removed, []string{first.String()}) {
		t.Errorf("%+v", e)
	}
	askHandler(t, h, question("b.corp.example.", dns.TypeA))
	if e := all.next(t, api.EventRace); e.Upstream != second.String() {
		t.Errorf("%+v", e)
	}
	begun := time.Now()
	h.Stop()
	all.next(t, api.EventEnd)
	if took := time.Since(begun); took > testkit.Patience {
		t.Errorf("the end took %v", took)
	}
	denied.next(t, api.EventEnd)
}

// At a reload those who watch go on, and what is remembered stays.
func TestR25Reload(t *testing.T) {
	t.Parallel()
	up := resolver(t, denies(nxdomain))
	old := controlledHandler(t, nil, up)
	watch := newWatcher(t, old, "")
	askHandler(t, old, question("a.corp.example.", dns.TypeA))
	watch.next(t, api.EventRace)
	next := knowingHandler(t, testkit.Patience, func(c *Config) { *c = old.cfg }, up)
	old.Stop()
	askHandler(t, next, question("b.corp.example.", dns.TypeA))
	if e := watch.next(t, api.EventRace); e.Name != "b.corp.example." {
		t.Errorf("%+v", e)
	}
	if all := historyOf(t, next, ""); len(all) != 2 {
		t.Errorf("%+v", all)
	}
	if s := stateOf(t, next); s.Hour.Denied != 2 || s.Upstreams[0].Hour.Denied != 2 {
		t.Errorf("%+v", s)
	}
}

// What is counted of upstreams adds up to what is counted of races.
func TestR25Counts(t *testing.T) {
	t.Parallel()
	company := resolver(t, func(a asked) {
		if strings.HasSuffix(a.name(), ".corp.example.") {
			a.reply(0, good)
		} else {
			a.reply(0, nxdomain)
		}
	})
	public := resolver(t, func(a asked) {
		if strings.HasSuffix(a.name(), ".public.example.") {
			a.reply(0, good)
		} else {
			a.reply(0, nxdomain)
		}
	})
	refuses := resolver(t, denies(code(dns.RcodeRefused)))
	fails := resolver(t, denies(code(dns.RcodeServerFailure)))
	filters := resolver(t, denies(blocked))
	h := controlledHandler(t, nil, company, public, refuses, fails, filters)
	const each = 10
	for i := range each {
		for _, zone := range []string{"corp", "public", "nobody"} {
			askHandler(t, h, question(fmt.Sprintf("h%d.%s.example.", i, zone), dns.TypeA))
		}
	}
	testkit.Eventually(t, func() error {
		s := stateOf(t, h)
		got := ""
		for _, u := range s.Upstreams {
			c := u.Hour
			got += fmt.Sprintf("%d: %d good %d denied %d no opinion %d failed %d filtered %d silent %d only; ", c.Asked, c.Good, c.Denied, c.NoOpinion, c.Failed, c.Filtered, c.Silent, c.Only)
			if c.Good+c.Denied+c.NoOpinion+c.Failed+c.Silent != c.Asked {
				return fmt.Errorf("they do not add up: %+v", c)
			}
		}
		want := strings.Repeat("40: 10 good 30 denied 0 no opinion 0 failed 0 filtered 0 silent 10 only; ", 2) +
			"40: 0 good 0 denied 40 no opinion 0 failed 0 filtered 0 silent 0 only; 40: 0 good 0 denied 0 no opinion 40 failed 0 filtered 0 silent 0 only; " +
			"40: 0 good 40 denied 0 no opinion 0 failed 40 filtered 0 silent 0 only; "
		won := 0
		for _, u := range s.Upstreams {
			won += u.Hour.Won
		}
		if got != want || s.Hour.Good != 2*each || s.Hour.Denied != each || s.Hour.Failed != 0 || won != s.Hour.All+each { // with AAAA of what nobody knows
			return fmt.Errorf("%s and %+v", got, s.Hour)
		}
		if about := s.Upstreams[4].About; about != "it filters names: 40 of its replies in the last hour say so" {
			return fmt.Errorf("%q", about)
		}
		return nil
	})
}

// Explain over the socket agrees with what the next client gets, with what is known and kept.
func TestR25Explain(t *testing.T) {
	t.Parallel()
	knows := resolver(t, func(a asked) {
		if strings.HasPrefix(a.name(), "gone") {
			a.reply(0, nxdomain)
			return
		}
		a.reply(0, good)
	})
	h := controlledHandler(t, func(c *Config) { c.Cache, c.Learn = 1024, time.Minute }, knows, resolver(t, denies(nxdomain)))
	for round := range 3 {
		for _, name := range []string{"a.corp.example.", "b.corp.example.", "gone.corp.example."} {
			lines := linesOf[api.Explained](t, overSocket(t, h, "GET", api.Explain+"?name="+name, ""))
			first, last := lines[0], lines[len(lines)-1]
			if first.Event != api.LineLegs || len(first.Legs) != 2 || last.Event != api.LineOutcome {
				t.Fatalf("%+v", lines)
			}
			o := last.Outcome
			r, err := askHandler(t, h, question(name, dns.TypeA))
			if err != nil {
				t.Fatal(err)
			}
			if o.Rcode != dns.RcodeToString[r.Rcode] || len(o.Answer) != len(r.Answer) {
				t.Errorf("%s: explain has %s %v, and the client %v", name, o.Rcode, o.Answer, r)
			}
			if k := o.Kept; (round > 0) != (k != nil) {
				t.Errorf("%s: round %d: kept is %+v", name, round, k)
			} else if k != nil && (k.Rcode != o.Rcode || len(k.Answer) != len(r.Answer) || len(k.Upstreams) != 1 || k.Stale || !k.Replaced || !k.Until.After(k.Since)) {
				t.Errorf("%s: kept is %+v", name, k)
			}
		}
	}
}

// What is forgotten is counted, once.
func TestR25Forget(t *testing.T) {
	t.Parallel()
	knows := resolver(t, func(a asked) {
		if strings.HasPrefix(a.name(), "gone") {
			a.reply(0, nxdomain)
			return
		}
		a.reply(0, good)
	})
	h := controlledHandler(t, func(c *Config) { c.Cache, c.Learn = 1024, time.Minute }, knows)
	forget := func(what string) api.Forgotten {
		return linesOf[api.Forgotten](t, overSocket(t, h, "POST", api.Forget, what))[0]
	}
	for _, name := range []string{"a.corp.example.", "b.corp.example.", "gone.corp.example.", "a.other.example."} {
		askHandler(t, h, question(name, dns.TypeA))
	}
	for _, tc := range []struct {
		what string
		want api.Forgotten
	}{
		{`{"name":"none.corp.example"}`, api.Forgotten{}},
		{`{"name":"A.corp.example"}`, api.Forgotten{Replies: 1, Names: 1}},
		{`{"name":"a.corp.example."}`, api.Forgotten{}},
		{`{"zone":"corp.example"}`, api.Forgotten{Replies: 2, Names: 1, Zones: 1, Remembered: 1}},
		{`{"zone":"corp.example"}`, api.Forgotten{}},
		{`{"upstream":"` + knows.String() + `"}`, api.Forgotten{Replies: 1, Names: 1, Zones: 1}},
		{`{"upstream":"` + knows.String() + `"}`, api.Forgotten{}},
		{`{"all":true}`, api.Forgotten{}},
	} {
		if got := forget(tc.what); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.what, got, tc.want)
		}
	}
}

// R25: a race with an answer allocates nothing more while nobody reads events.
func TestR25Asleep(t *testing.T) {
	h := controlledHandler(t, nil, resolver(t, denies(good)))
	q, err := question("a.corp.example.", dns.TypeA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	told := pool.Told{
		Result: &pool.Result{Result: race.Result{Verdict: race.Good}, Took: time.Millisecond}, Question: wire.Question(q), Clients: 1, At: time.Now(),
	}
	if n := testing.AllocsPerRun(100, func() { h.over(told) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := stateOf(t, h).Hour.Good; got != 101 {
		t.Errorf("%d are counted", got)
	}
}

// A control socket changes no reply, nor who is asked: only what is kept to be shown.
func TestR25ChangesNothing(t *testing.T) {
	t.Parallel()
	differing := func(m *dns.Msg) { m.Answer = []dns.RR{rr(m.Question[0].Name + " 600 IN A 198.51.100.1")} }
	long := func(m *dns.Msg) { m.Answer = []dns.RR{rr(m.Question[0].Name + " 600 IN A 192.0.2.1")} }
	h := controlledHandler(t, nil, resolver(t, denies(long)), resolver(t, denies(differing)))
	for i := range 20 {
		r, err := askHandler(t, h, question(fmt.Sprintf("h%d.corp.example.", i), dns.TypeA))
		if err != nil || r.Answer[0].Header().Ttl != 600 { // which is cut where answers are known to differ
			t.Fatalf("%v %v", err, r)
		}
	}
	if plain := option.Default(); h.cfg.Learns() || plain.Keeps() {
		t.Error("it learns")
	}
	zones := linesOf[api.Zone](t, overSocket(t, h, "GET", api.Zones, ""))
	if len(zones) != 1 || zones[0].Zone != "corp.example." || len(zones[0].KnownBy) == 0 {
		t.Errorf("%+v", zones)
	}
}

// A zone has a note while all who know it fail, as it has while they are down.
func TestR25ZoneOfFailing(t *testing.T) {
	t.Parallel()
	knows := resolver(t, denies(good))
	h := controlledHandler(t, nil, knows, resolver(t, denies(nxdomain)))
	if _, err := askHandler(t, h, question("host.corp.example.", dns.TypeA)); err != nil {
		t.Fatal(err)
	}
	sole := h.pool.Members()[0]
	for _, fails := range []bool{false, true, false} {
		note := ""
		if o := observerOf(sole); fails {
			before := time.Now()
			o.Failed(errors.New("connection refused"))
			first := stateOf(t, h).Upstreams[0]
			o.Failed(errors.New("connection refused"))
			if u := stateOf(t, h).Upstreams[0]; u.State != "failing" || !u.Since.Equal(first.Since) || u.Since.UnixNano() < before.UnixNano() {
				t.Errorf("it is %s since %v, want failing since %v", u.State, u.Since, before)
			}
			note = "who knows it fails"
		} else {
			o.Replied(dns.RcodeSuccess, 0)
		}
		zones := linesOf[api.Zone](t, overSocket(t, h, "GET", api.Zones, ""))
		if len(zones) != 1 || len(zones[0].KnownBy) != 1 || zones[0].Note != note || zones[0].KnownBy[0].Failing != fails || zones[0].KnownBy[0].Down {
			t.Errorf("fails %v: %+v", fails, zones)
		}
	}
}

// A reload that changes the upstreams is told when the block before leaves, and one that does not is
// not.
func TestR25ListAfterReload(t *testing.T) {
	t.Parallel()
	one, two, three := resolver(t, denies(good)), resolver(t, denies(good)), resolver(t, denies(good))
	h := controlledHandler(t, nil, one, two)
	watch := newWatcher(t, h, "")
	reloaded := func(old *Handler, upstreams ...netip.AddrPort) *Handler {
		h := controlledHandler(t, func(c *Config) { c.Socket = old.cfg.Socket }, upstreams...)
		old.Stop()
		return h
	}
	same := reloaded(h, one, two)
	reloaded(same, two, three)
	e := watch.next(t, api.EventList)
	if !slices.Equal(e.Added, []string{three.String()}) || !slices.Equal(e.Removed, []string{one.String()}) {
		t.Errorf("added %q, removed %q", e.Added, e.Removed)
	}
}
