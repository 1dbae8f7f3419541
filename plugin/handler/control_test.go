package handler

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
)

// controlledHandler is a handler with a control socket.
func controlledHandler(t *testing.T, change func(*Config), upstreams ...netip.AddrPort) *Handler {
	t.Helper()
	return knowingHandler(t, testkit.Patience, func(c *Config) {
		c.Control, c.Socket = true, filepath.Join(testkit.SocketDir(t), "control")
		c.Rules.Timeout, c.Patience = testkit.Patience, testkit.Patience
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

// What is remembered of a race is what the client got, and what each upstream said.
func TestR25Remembered(t *testing.T) {
	t.Parallel()
	blocked := func(m *dns.Msg) {
		nxdomain(m)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: "malware"}}
	}
	slow := func(a asked) { a.reply(600*time.Millisecond, good) }
	servfail := denies(code(dns.RcodeServerFailure))
	for _, tc := range []struct {
		what    string
		name    string
		qtype   uint16
		behave  []func(asked)
		change  func(*Config)
		want    string // verdict, rcode, by whom, conclusive
		legs    string // verdict and rcode of each
		why     api.WhyKind
		changed string
		nothing bool // is remembered
	}{
		{what: "denied by all", behave: []func(asked){denies(nxdomain), denies(nxdomain)}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, nxdomain NXDOMAIN", why: api.WhyUnknown},
		{what: "no opinion of one", behave: []func(asked){servfail, denies(nxdomain)}, want: "nxdomain NXDOMAIN 1 false", legs: "servfail SERVFAIL, nxdomain NXDOMAIN", why: api.WhyInconclusive},
		{what: "refused by one", behave: []func(asked){denies(nxdomain), denies(code(dns.RcodeRefused))}, want: "nxdomain NXDOMAIN 0 false", legs: "nxdomain NXDOMAIN, refused REFUSED", why: api.WhyInconclusive},
		{what: "all fail", behave: []func(asked){servfail, servfail}, want: "servfail SERVFAIL 0 false", legs: "servfail SERVFAIL, servfail SERVFAIL", why: api.WhyFailed},
		{what: "no such type", behave: []func(asked){denies(soa), denies(soa)}, want: "nodata NOERROR 0 true", legs: "nodata NOERROR, nodata NOERROR", why: api.WhyNoData},
		{what: "no such type, of which most names have none", qtype: dns.TypeAAAA, behave: []func(asked){denies(soa), denies(soa)}, nothing: true},
		{what: "an answer", behave: []func(asked){denies(good), denies(nxdomain)}, nothing: true},
		{what: "an answer that took long", behave: []func(asked){slow, denies(nxdomain)}, want: "good NOERROR 0 true", legs: "good NOERROR, nxdomain NXDOMAIN", why: api.WhySlow},
		{what: "a filter", change: func(c *Config) { c.Rules.Filtered = true }, behave: []func(asked){denies(blocked), slow}, want: "nxdomain NXDOMAIN 0 true", legs: "nxdomain NXDOMAIN, none -", why: api.WhyFiltered},
		{what: "special", name: "x.onion.", behave: []func(asked){denies(good)}, want: "nxdomain NXDOMAIN - true", why: api.WhySpecial, changed: "special"},
		{what: "bogus", change: func(c *Config) { c.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} }, behave: []func(asked){denies(good)}, want: "bogus NOERROR 0 true", legs: "bogus NOERROR", why: api.WhyBogus},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			var upstreams []netip.AddrPort
			for _, behave := range tc.behave {
				upstreams = append(upstreams, resolver(t, behave))
			}
			h := controlledHandler(t, tc.change, upstreams...)
			if tc.name == "" {
				tc.name, tc.qtype = "host.corp.example.", max(tc.qtype, dns.TypeA)
			}
			q := question(tc.name, max(tc.qtype, dns.TypeA))
			q.SetEdns0(1232, false)
			reply, err := askHandler(t, h, q)
			if err != nil {
				t.Fatal(err)
			}
			all := historyOf(t, h, "")
			if tc.nothing {
				if len(all) > 0 {
					t.Errorf("%+v", all)
				}
				return
			}
			if len(all) != 1 {
				t.Fatalf("%+v", all)
			}
			m := all[0]
			by := "-"
			if m.Upstream != nil {
				by = fmt.Sprint(slices.IndexFunc(h.pool.Members(), func(o *pool.Member) bool { return o.String() == *m.Upstream }))
			}
			if got := fmt.Sprintf("%s %s %s %v", m.Verdict, m.Rcode, by, m.Conclusive); got != tc.want || m.Rcode != dns.RcodeToString[reply.Rcode] {
				t.Errorf("%s, want %s; the client got %s", got, tc.want, dns.RcodeToString[reply.Rcode])
			}
			var legs []string
			for _, l := range m.Upstreams {
				rcode := "-"
				if l.Rcode != nil {
					rcode = *l.Rcode
				}
				legs = append(legs, l.Verdict+" "+rcode)
			}
			if got := strings.Join(legs, ", "); got != tc.legs {
				t.Errorf("%s, want %s", got, tc.legs)
			}
			if m.Why.Kind != tc.why || m.Why.Text == "" || m.Why.Until == "" {
				t.Errorf("%+v, want %s", m.Why, tc.why)
			}
			if changed := m.Changed; tc.changed != "" && (changed == nil || *changed != tc.changed) || tc.changed == "" && changed != nil {
				t.Errorf("changed: %v, want %s", changed, tc.changed)
			}
			if m.Name != tc.name || m.Count != 1 {
				t.Errorf("%s %d", m.Name, m.Count)
			}
			least := ^uint32(0)
			for _, record := range append(slices.Clone(reply.Answer), reply.Ns...) {
				least = min(least, record.Header().Ttl)
			}
			if kept := least != ^uint32(0); kept != (m.TTL != nil) || kept && *m.TTL != least {
				t.Errorf("the client may keep it for %d s, and what is told is %v", least, m.TTL)
			}
			if m.TTL != nil && !m.Until.Equal(m.At.Add(time.Duration(*m.TTL)*time.Second)) {
				t.Errorf("until %v, after %v", m.Until, m.At)
			}
		})
	}
}

// A good answer that comes after the denial of its race is counted, remembered and told, unless the denial is meant.
func TestR25WrongDenials(t *testing.T) {
	t.Parallel()
	blocked := func(m *dns.Msg) {
		nxdomain(m)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked}}
	}
	for _, tc := range []struct {
		what   string
		name   string
		denial func(*dns.Msg)
		change func(*Config)
		wrong  bool
	}{
		{what: "too late", denial: nxdomain, wrong: true, change: func(c *Config) { c.Rules.Timeout = 200 * time.Millisecond }},
		{what: "no such type, and too late", denial: soa, wrong: true, change: func(c *Config) { c.Rules.Timeout = 200 * time.Millisecond }},
		{what: "without a control socket", denial: nxdomain, wrong: true, change: func(c *Config) {
			c.Control, c.Learn, c.Rules.Timeout = false, time.Minute, 200*time.Millisecond
		}},
		{what: "a filter's", denial: blocked, change: func(c *Config) { c.Rules.Filtered = true }},
		{what: "special", name: "mask.icloud.com.", denial: nxdomain},
		{what: "good", denial: good},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			said := make(chan struct{})
			var may events
			late := resolver(t, func(a asked) {
				if a.name() == "." {
					return
				}
				go func() {
					<-may.of("late")
					a.reply(0, good)
					select {
					case said <- struct{}{}:
					default:
					}
				}()
			})
			h := controlledHandler(t, tc.change, resolver(t, denies(tc.denial)), late)
			before := testutil.ToFloat64(wrongDenials.WithLabelValues(late.String()))
			var watch *watcher
			if h.cfg.Control {
				watch = newWatcher(t, h, "")
			}
			if tc.name == "" {
				tc.name = "host.corp.example."
			}
			q := question(tc.name, dns.TypeA)
			q.SetEdns0(1232, false)
			if _, err := askHandler(t, h, q); err != nil {
				t.Fatal(err)
			}
			may.happened("late")
			want := before
			if tc.wrong {
				want++
			}
			if !tc.wrong {
				<-said
				// The reply of another race comes after this one's, so both have been read then.
				askHandler(t, h, question("other.corp.example.", dns.TypeA))
			}
			testkit.Eventually(t, func() error {
				if got := testutil.ToFloat64(wrongDenials.WithLabelValues(late.String())); got != want {
					return fmt.Errorf("%v wrong denials, want %v", got, want)
				}
				return nil
			})
			if watch == nil {
				return
			}
			if e := watch.next(t, api.EventLate); e.WouldHaveWon != tc.wrong || e.Upstream != late.String() || e.Verdict != "good" || e.ID == "" {
				t.Errorf("%+v", e)
			}
			all := historyOf(t, h, "name="+tc.name)
			if tc.wrong && (len(all) != 1 || len(all[0].Late) != 1 || all[0].Late[0].Upstream != late.String() || all[0].Why.Kind != api.WhyLate) {
				t.Errorf("%+v", all)
			}
			if n := stateOf(t, h).Hour.WrongDenials; n != int(want-before) {
				t.Errorf("%d are counted", n)
			}
		})
	}
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
	if e.Name != "a.corp.example." || e.Verdict != "good" || e.Upstream != first.String() || e.Cached {
		t.Errorf("%+v", e)
	}
	askHandler(t, h, question("A.corp.example.", dns.TypeA))
	if e := all.next(t, api.EventRace); e.Name != "a.corp.example." || e.Upstream != first.String() || !e.Cached {
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
	h := controlledHandler(t, nil, company, public, refuses, fails)
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
			got += fmt.Sprintf("%d: %d good %d denied %d no opinion %d failed %d silent %d only; ", c.Asked, c.Good, c.Denied, c.NoOpinion, c.Failed, c.Silent, c.Only)
			if c.Good+c.Denied+c.NoOpinion+c.Failed+c.Silent != c.Asked {
				return fmt.Errorf("they do not add up: %+v", c)
			}
		}
		want := "30: 10 good 20 denied 0 no opinion 0 failed 0 silent 10 only; 30: 10 good 20 denied 0 no opinion 0 failed 0 silent 10 only; " +
			"30: 0 good 0 denied 30 no opinion 0 failed 0 silent 0 only; 30: 0 good 0 denied 0 no opinion 30 failed 0 silent 0 only; "
		won := 0
		for _, u := range s.Upstreams {
			won += u.Hour.Won
		}
		if got != want || s.Hour.Good != 2*each || s.Hour.Denied != each || s.Hour.Failed != 0 || won != s.Hour.All {
			return fmt.Errorf("%s and %+v", got, s.Hour)
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
	for range 3 {
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
