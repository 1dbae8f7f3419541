package forget

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		args     string
		done     api.Forgotten
		want     api.ForgetRequest
		out      string // its beginning
		problems string
	}{
		{"git.corp.example", api.Forgotten{Replies: 3, Names: 1, Remembered: 1}, api.ForgetRequest{Name: "git.corp.example."}, "Forgotten: 3 replies, 1 name that exists and 1 denial or failure.\nAsked: the server on", ""},
		{"--zone corp.example", api.Forgotten{Zones: 2, InFront: true}, api.ForgetRequest{Zone: "corp.example."}, "Forgotten: 2 zones.\nThe plugin cache stands before dnsmus", ""},
		{"--upstream 10.1.0.53%tun0", api.Forgotten{}, api.ForgetRequest{Upstream: "10.1.0.53%tun0"}, "There was nothing to forget.", ""},
		{"--all --server 127.0.0.1:53", api.Forgotten{Replies: 1}, api.ForgetRequest{All: true, Server: "127.0.0.1:53"}, "Forgotten: 1 reply.", ""},
		{"--all --json", api.Forgotten{Replies: 1}, api.ForgetRequest{All: true}, "{\n  \"replies\": 1,", ""},
		{"", api.Forgotten{}, api.ForgetRequest{}, "", "write one of NAME"},
		{"a --all", api.Forgotten{}, api.ForgetRequest{}, "", "write one of NAME"},
		{"a..b", api.Forgotten{}, api.ForgetRequest{}, "", "is not a domain name"},
	} {
		var got api.ForgetRequest
		path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == api.Status {
				json.NewEncoder(w).Encode(api.State{PID: 812, Servers: []api.Server{{Server: "127.0.0.123:53"}}})
				return
			}
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || json.NewDecoder(r.Body).Decode(&got) != nil {
				t.Errorf("%s: %+v", tc.args, r)
			}
			json.NewEncoder(w).Encode(tc.done)
		}))
		var out, problems bytes.Buffer
		status := Run(t.Context(), client.NewCommand("dnsmus", Name, show.Screen{Writer: &out}, &problems), append(strings.Fields(tc.args), "-s", path))
		if got != tc.want || !strings.HasPrefix(out.String(), tc.out) || !strings.Contains(problems.String(), tc.problems) || (status == 64) != (tc.problems != "") || status != 0 && status != 64 {
			t.Errorf("%s: status %d, asks %+v\n%s%s", tc.args, status, got, &out, &problems)
		}
	}
}
