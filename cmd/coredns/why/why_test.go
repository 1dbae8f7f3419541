package why

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

var now = time.Date(2026, 11, 30, 12, 4, 44, 0, time.Local)

func to[T any](v T) *T { return &v }

// sample is what is remembered of a name: of type A it was denied while who knows it is away, and
// before that by all; of AAAA it was denied though an answer came later.
func sample() []api.Remembered {
	legs := []api.Leg{
		{Upstream: "10.1.0.53%tun0", Seconds: to(0.012), Rcode: to("NXDOMAIN"), Verdict: "nxdomain", Why: "no such name"},
		{Upstream: "10.2.0.53%wg0", Verdict: "none", Why: "down since 12:03:49", Down: true},
		{Upstream: "tls://9.9.9.9%dns.quad9.net:853", Seconds: to(0.018), Rcode: to("NXDOMAIN"), Verdict: "nxdomain", Why: "no such name", Winner: true},
	}
	last := now.Add(-14 * time.Second)
	fate := func(qtype string, change func(*api.Remembered)) api.Remembered {
		r := api.Remembered{First: now.Add(-54 * time.Second), Last: last, Count: 3}
		r.Name, r.Type, r.Verdict, r.Rcode, r.Seconds, r.Upstreams = "git.corp2.example.", qtype, "nxdomain", "NXDOMAIN", 0.061, legs
		change(&r)
		return r
	}
	return []api.Remembered{
		fate("A", func(r *api.Remembered) {
			r.Rcode, r.Changed = "SERVFAIL", to("away")
			r.Why = api.Why{Kind: api.WhyDown, Text: "10.2.0.53%wg0 alone has answered in corp2.example. (88 names in the last hour), and it is down: silent for 42 s over UDP and TCP. wg0 is up and leads to it, so the VPN is up and its resolver, or the way behind it, is not.",
				Until: "caches were given nothing to keep", Do: "dnsmus explain git.corp2.example"}
		}),
		fate("A", func(r *api.Remembered) { r.Count, r.Last = 1, now.Add(-26*time.Hour) }),
		fate("AAAA", func(r *api.Remembered) {
			r.Late = []api.LateLeg{{Upstream: "10.2.0.53%wg0", Seconds: 2.2}}
			r.Why = api.Why{Kind: api.WhyLate, Text: "10.2.0.53%wg0 had a good answer, after the denial."}
		}),
	}
}

func TestScreens(t *testing.T) {
	testkit.Screens(t, filepath.Join("testdata", "why.txt"), func(width int, colour bool) string {
		return strings.Join(Text(sample(), false, now, show.Screen{Width: width, Colour: colour}), "\n") + "\n"
	})
}

// Of several server blocks it is told which one a fate is of, of those before the last too.
func TestSeveralBlocks(t *testing.T) {
	all := sample()[:2]
	all[0].Server, all[1].Server = "127.0.0.1:54", "127.0.0.1:54"
	got := strings.Join(Text(all, true, now, show.Screen{}), "\n")
	for _, want := range []string{"last 14 s ago, from the server on 127.0.0.1:54\n", "\nBefore: NXDOMAIN, 1 d 2 h ago, from the server on 127.0.0.1:54"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// run runs the command against a server that remembers so much of one name.
func run(t *testing.T, all []api.Remembered, args ...string) (status int, out, problems string) {
	t.Helper()
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := json.NewEncoder(w)
		if r.URL.Path == api.Status {
			e.Encode(api.State{PID: 812, Since: time.Now().Add(-time.Hour), Servers: []api.Server{{Server: "127.0.0.123:53", Prefer: "order"}}})
			return
		}
		if r.URL.Path == api.Zones {
			if r.URL.Query().Get(api.ParamZone) == "preferring.example." {
				e.Encode(api.Zone{Server: "127.0.0.123:53", Zone: "preferring.example.", KnownBy: []api.Knower{{Upstream: "10.1.0.53", Failing: true}}, Differ: []string{"10.1.0.53"}})
				return
			}
			for _, zone := range []string{"example.", "below.example."} {
				e.Encode(api.Zone{Zone: zone, KnownBy: []api.Knower{{Upstream: "10.1.0.53"}, {Upstream: "10.2.0.53", Down: true}}, Differ: []string{"10.1.0.53", "10.2.0.53"}})
			}
			return
		}
		if q := r.URL.Query(); q.Get(api.ParamName) == "host.secret.example." {
			one := api.Remembered{ZoneOnly: true, Count: 1}
			one.Name, one.Type, one.Verdict, one.Rcode = "*.secret.example.", "MX", "nodata", "NOERROR"
			e.Encode(one)
			return
		}
		for _, one := range all {
			if q := r.URL.Query(); q.Get(api.ParamName) == one.Name && (q.Get(api.ParamType) == "" || q.Get(api.ParamType) == one.Type) {
				e.Encode(one)
			}
		}
	}))
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &stdout}, &stderr), append(args, "-s", path))
	return status, stdout.String(), stderr.String()
}

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		args     string
		status   int
		out      string // part of it
		problems string
	}{
		{"git.corp2.example", 3, "git.corp2.example. A: SERVFAIL in place of NXDOMAIN", ""},
		{"https://git.corp2.example/x a", 3, "git.corp2.example. A: SERVFAIL", "asking for the name in"},
		{"git.corp2.example AAAA", 2, "Late:  10.2.0.53%wg0 had a good answer after 2.20 s.", ""},
		{"git.corp2.example MX", 4, "git.corp2.example.: nothing is remembered.", ""},
		{"other.example", 4, "has run for 1 h, and forgets the oldest first.\nIn its zone example. 10.1.0.53 and 10.2.0.53 (down) have answered. Their answers differ, so which one clients get may change from query to query. The option prefer chooses one for good; explain --alone shows them all.\nTo ask now: dnsmus explain other.example.\n\nAsked: the server on 127.0.0.123:53, process 812.\n", ""},
		{"other.preferring.example", 4, "\nIn its zone preferring.example. 10.1.0.53 (failing) has answered. Their answers differ, and the option prefer (order) chooses one; explain --alone shows them all.\n", ""},
		{"host.secret.example MX", 1, "A name in secret.example. MX: NODATA", ""},
		{"", 64, "", "missing NAME"},
		{"a..b", 64, "", "is not a domain name"},
		{"a FOO", 64, "", "is not a record type"},
		{"a A b", 64, "", `unexpected argument "b"`},
		{"-h", 0, "Usage: dnsmus why NAME", ""},
	} {
		status, out, problems := run(t, sample(), strings.Fields(tc.args)...)
		if status != tc.status || !strings.Contains(out, tc.out) || !strings.Contains(problems, tc.problems) || (problems == "") != (tc.problems == "") {
			t.Errorf("%s: status %d, want %d\n%s%s", tc.args, status, tc.status, out, problems)
		}
	}
	_, out, _ := run(t, sample(), "git.corp2.example", "--json")
	var all []api.Remembered
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 3 {
		t.Errorf("%v: %s", err, out)
	}
}

// Names, and what upstreams say, change no terminal.
func TestHostile(t *testing.T) {
	all := sample()[:1]
	r := &all[0]
	r.Upstreams = append([]api.Leg{}, r.Upstreams...)
	r.Upstreams[0].Why, r.Upstreams[0].Upstream, r.Why.Text, r.Why.Do, r.Type = testkit.Hostile, testkit.Hostile, testkit.Hostile, testkit.Hostile, testkit.Hostile
	for _, args := range [][]string{{"git.corp2.example"}, {"git.corp2.example", "--json"}} {
		_, out, _ := run(t, all, args...)
		if text := testkit.Shown(t, out, 1000); !strings.Contains(text, "onerror") {
			t.Errorf("it is not there:\n%s", text)
		}
	}
}
