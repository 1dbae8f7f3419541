package status

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

var now = time.Date(2026, 11, 30, 12, 4, 31, 0, time.Local)

func ago(d time.Duration) time.Time { return now.Add(-d) }
func to[T any](v T) *T              { return &v }

func sample() *api.State {
	return &api.State{Version: "0.9.0", PID: 812, Since: ago(76 * time.Hour), Servers: []api.Server{{
		Server: "127.0.0.123:53", Listens: []string{"127.0.0.123:53"},
		Minute: api.Races{Seconds: 60, All: 2460, Good: 2300, Denied: 150, Failed: 10},
		Hour:   api.Races{Seconds: 3600, All: 147600, Good: 137268, Denied: 8856, Failed: 1476, WrongDenials: 2},
		Upstreams: []api.Upstream{
			{Upstream: "10.1.0.53%tun0", ToldBy: []string{"systemd-resolved"}, State: "up", Since: ago(2 * time.Hour), Path: to("udp"), P50: to(0.011), P95: to(0.031),
				Hour: api.Tally{Asked: 1000, Good: 120, Denied: 880, Won: 120, Only: 214}, Knows: []string{"corp.example."}, KnowsAll: 4},
			{Upstream: "10.2.0.53%wg0", ToldBy: []string{"NetworkManager", "/etc/resolv.conf.dnsmus"}, State: "down", Since: ago(42 * time.Second), About: "Silent since 12:03:49, over UDP and TCP. wg0 is up and leads to it.",
				Link: to("wg0"), LinkState: to("bound"), UDP: &api.Path{RetryAt: to(now.Add(5 * time.Second))}, Stream: &api.Path{}, EDNS: to(false), EDNSUntil: to(now.Add(time.Minute)), Signs: to(false),
				Hour: api.Tally{Asked: 500, Silent: 41, Good: 88, Denied: 371, Won: 88, Only: 88}, LastError: &api.LastError{At: ago(40 * time.Second), Text: "i/o timeout"}, UnresponsiveTypes: []string{"HTTPS"}},
			{Upstream: "tls://9.9.9.9%dns.quad9.net:853", ToldBy: []string{"Corefile"}, State: "up", Since: ago(5 * time.Minute), Path: to("tls"), P50: to(0.018), P95: to(0.06),
				Hour: api.Tally{Asked: 1000, Good: 999, Denied: 1, Won: 14, Only: 14}},
		},
		Notes: []string{"88 names of corp2.example. cannot be answered while 10.2.0.53%wg0 is down: dnsmus why corp2.example"},
	}}}
}

func TestScreens(t *testing.T) {
	testkit.Screens(t, filepath.Join("testdata", "status.txt"), func(width int, colour bool) string {
		s := show.Screen{Width: width, Colour: colour}
		one := find(sample().Servers, "10.2.0.53")
		return strings.Join(append(append(text(sample(), []string{"192.0.2.1", "127.0.0.123"}, now, s), ""), details(one, now, s)...), "\n") + "\n"
	})
}

// run runs the command against a server with a state.
func run(t *testing.T, state *api.State, args ...string) (status int, out, problems string) {
	t.Helper()
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { json.NewEncoder(w).Encode(state) }))
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &stdout, Width: 80}, &stderr), append(args, "-s", path))
	return status, stdout.String(), stderr.String()
}

func TestRun(t *testing.T) {
	three := func(states ...string) *api.State {
		s := sample()
		s.Servers[0].Upstreams = s.Servers[0].Upstreams[:len(states)]
		for i := range states {
			s.Servers[0].Upstreams[i].State, s.Servers[0].Upstreams[i].Since = states[i], time.Now().Add(-42*time.Second)
		}
		return s
	}
	for _, tc := range []struct {
		what     string
		state    *api.State
		args     []string
		status   int
		out      string // part of it
		problems string
	}{
		{"some are down", three("up", "down", "gone"), []string{"--short"}, 1, "1/3 up, 10.2.0.53%wg0 down 42 s, tls://9.9.9.9%dns.quad9.net:853 gone 42 s\n", ""},
		{"one fails", three("up", "failing", "up"), []string{"--short"}, 1, "2/3 up, 10.2.0.53%wg0 failing 42 s\n", ""},
		{"all are up", three("up", "up", "up"), []string{"--short"}, 0, "3/3 up\n", ""},
		{"one is up", three("up"), nil, 0, "dnsmus on 127.0.0.123:53: the upstream is up.\n", ""},
		{"none is up", three("down", "gone"), nil, 2, "0 of 2 upstreams are up.\n", ""},
		{"none is there", three(), nil, 2, "there is no upstream.\n", ""},
		{"one upstream", three("up", "down"), []string{"10.2.0.53"}, 1, "10.2.0.53%wg0: down 42 s\n", ""},
		{"one upstream of several server blocks", func() *api.State {
			s := three("up", "down")
			s.Servers = append(s.Servers, s.Servers[0], api.Server{Server: "127.0.0.1:55"})
			s.Servers[1].Server = "127.0.0.1:54"
			return s
		}(), []string{"10.1.0.53"}, 1, "\n\nOn 127.0.0.1:54:\n10.1.0.53%tun0: up 42 s\n", ""},
		{"no upstream", three("up", "down"), []string{"10.2.0.54"}, 64, "", "they are 10.1.0.53%tun0 and 10.2.0.53%wg0"},
		{"help", three("up"), []string{"-h"}, 0, "Usage: dnsmus status", ""},
		{"a wrong flag", three("up"), []string{"--shrot"}, 64, "", "see 'dnsmus status -h'"},
	} {
		status, out, problems := run(t, tc.state, tc.args...)
		if status != tc.status || !strings.Contains(out, tc.out) || !strings.Contains(problems, tc.problems) || (problems == "") != (tc.problems == "") {
			t.Errorf("%s: status %d, want %d\n%s%s", tc.what, status, tc.status, out, problems)
		}
	}
	var one []struct{ Server, Upstream, State string }
	_, out, _ := run(t, sample(), "--json", "10.2.0.53")
	if err := json.Unmarshal([]byte(out), &one); err != nil || len(one) != 1 || one[0].Server != "127.0.0.123:53" || one[0].Upstream != "10.2.0.53%wg0" || one[0].State != "down" {
		t.Errorf("%v: %s", err, out)
	}
	_, out, _ = run(t, sample(), "--json")
	var state api.State
	if err := json.Unmarshal([]byte(out), &state); err != nil || len(state.Servers[0].Upstreams) != 3 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestTally(t *testing.T) {
	for want, of := range map[string]api.Tally{
		"not asked": {}, "asked 1 time: 1 good, 0 denied; 1 won; 1 time it alone had a good answer": {Asked: 1, Good: 1, Won: 1, Only: 1},
		"asked 3 times: 2 good, 0 denied, 1 failed; 2 won; 2 times it alone had a good answer": {Asked: 3, Good: 2, Failed: 1, Won: 2, Only: 2},
	} {
		if got := tally(of); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What upstreams and programs write changes no terminal.
func TestHostile(t *testing.T) {
	s := sample()
	u := &s.Servers[0].Upstreams[1]
	s.Servers[0].Notes[0], u.Upstream, u.ToldBy[0], u.About, u.Knows, u.LastError.Text = testkit.Hostile, testkit.Hostile, testkit.Hostile, testkit.Hostile, []string{testkit.Hostile}, testkit.Hostile
	for _, args := range [][]string{nil, {"--short"}, {"--json"}} {
		_, out, _ := run(t, s, args...)
		if text := testkit.Shown(t, out, 1000); !strings.Contains(text, "onerror") {
			t.Errorf("it is not there:\n%s", text)
		}
	}
}
