package zones

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

func to[T any](v T) *T { return &v }

func sample() []api.Zone {
	return []api.Zone{
		{Zone: "corp.example.", Leader: to("10.1.0.53%tun0"), KnownBy: []api.Knower{{Upstream: "10.3.0.53", Answers: 4}, {Upstream: "10.1.0.53%tun0", Answers: 210}},
			Missed: []string{"192.168.1.1%wlan0", "tls://9.9.9.9%dns.quad9.net:853"}, System: []api.Domain{{Domain: "corp.example.", Link: "tun0"}}, Last: now.Add(-3 * time.Minute)},
		{Zone: "corp2.example.", Leader: to("10.2.0.53%wg0"), KnownBy: []api.Knower{{Upstream: "10.2.0.53%wg0", Answers: 255, Down: true}}, Last: now.Add(-time.Minute), Note: "Its only knower is down."},
	}
}

func TestScreens(t *testing.T) {
	testkit.Screens(t, filepath.Join("testdata", "zones.txt"), func(width int, colour bool) string {
		return strings.Join(table(sample(), now).Lines(show.Screen{Width: width, Colour: colour}), "\n") + "\n"
	})
}

// Zones of several server blocks are told by block.
func TestSeveralBlocks(t *testing.T) {
	all := sample()
	all[0].Server, all[1].Server = "127.0.0.1:54", "127.0.0.1:53"
	servers := []api.Server{{Server: "127.0.0.1:53"}, {Server: "127.0.0.1:54"}, {Server: "127.0.0.1:55"}}
	text := strings.Join(Tables(all, servers, now, show.Screen{}), "\n")
	first, second, found := strings.Cut(text, "\n\nOn 127.0.0.1:54:\n")
	if !found || !strings.HasPrefix(first, "On 127.0.0.1:53:\n") || !strings.Contains(first, "corp2.example.") || strings.Contains(second, "corp2.example.") || strings.Contains(text, "127.0.0.1:55") {
		t.Error(text)
	}
}

func run(t *testing.T, all []api.Zone, args ...string) (status int, out, problems string) {
	t.Helper()
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := json.NewEncoder(w)
		if r.URL.Path == api.Status {
			e.Encode(api.State{PID: 812, Servers: []api.Server{{Server: "127.0.0.123:53"}}})
			return
		}
		for _, z := range all {
			if want := r.URL.Query().Get(api.ParamZone); want == "" || want == z.Zone {
				e.Encode(z)
			}
		}
	}))
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &stdout}, &stderr), append(args, "-s", path))
	return status, stdout.String(), stderr.String()
}

func TestRun(t *testing.T) {
	hostile := sample()[:1]
	hostile[0].Zone, hostile[0].Note, hostile[0].System[0].Link = testkit.Hostile, testkit.Hostile, testkit.Hostile
	for _, tc := range []struct {
		what   string
		all    []api.Zone
		args   []string
		status int
		out    string // part of it
	}{
		{"all", sample(), nil, 0, "10.2.0.53%wg0 (down)"},
		{"one", sample(), []string{"corp.example"}, 0, "10.1.0.53%tun0, 10.3.0.53"},
		{"none", sample(), []string{"other.example"}, 4, "Nothing is known yet"},
		{"help", nil, []string{"-h"}, 0, "Usage: dnsmus zones"},
		{"JSON", sample(), []string{"--json"}, 0, `"zone": "corp2.example."`},
		{"JSON of nothing", nil, []string{"--json"}, 4, "[]\n"},
		{"hostile", hostile, nil, 0, "onerror"},
	} {
		status, out, problems := run(t, tc.all, tc.args...)
		if text := testkit.Shown(t, out, 1000); status != tc.status || !strings.Contains(text, tc.out) || problems != "" {
			t.Errorf("%s: status %d, want %d\n%s%s", tc.what, status, tc.status, text, problems)
		}
	}
	if status, _, problems := run(t, nil, "a..b"); status != 64 || !strings.Contains(problems, "is not a domain name") {
		t.Errorf("status %d, %s", status, problems)
	}
}
