package explain

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// explaining is a server that tells of a race: that it has begun, that one upstream has replied,
// and, if it is to end, what came of it.
func explaining(t *testing.T, ends bool) string {
	return testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := json.NewEncoder(w)
		name, qtype := r.URL.Query().Get(api.ParamName), r.URL.Query().Get(api.ParamType)
		switch {
		case r.URL.Path == api.Status:
			e.Encode(api.State{PID: 812, Servers: []api.Server{{Server: "127.0.0.123:53", Listens: []string{"127.0.0.123:53"}, Before: []string{"local", "hosts"}}}})
		case r.URL.Path != api.Explain:
			http.NotFound(w, r)
		case name == "old.example.":
			http.NotFound(w, r)
		case name == "bad.example.":
			w.WriteHeader(http.StatusTooManyRequests)
			e.Encode(api.Error{Error: "asked too often; wait a second"})
		case name == "cut.example.":
			e.Encode(api.Explained{Event: api.LineLegs})
		default:
			o := told(0, "NXDOMAIN", 0.001, []int{1}, denies, isSilent)
			o.Name, o.Type = name, qtype
			legs := told(-1, "", 0, nil, waiting, waiting).Upstreams
			e.Encode(api.Explained{Event: api.LineLegs, Legs: legs})
			e.Encode(api.Explained{Event: api.LineLeg, Leg: &o.Upstreams[0], Index: 0})
			e.Encode(api.Explained{Event: api.LineLeg, Leg: &o.Upstreams[0], Index: 7})
			if !ends {
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			e.Encode(api.Explained{Event: api.LineOver, Outcome: o})
			e.Encode(api.Explained{Event: api.LineOutcome, Outcome: o})
		}
	}))
}

func TestByServer(t *testing.T) {
	t.Parallel()
	path := explaining(t, true)
	for _, tc := range []struct {
		args     string
		status   int
		out      []string
		problems string
	}{
		{"host.example A AAAA", 2, []string{"host.example. A: NXDOMAIN after 1.0 ms", "host.example. AAAA: NXDOMAIN", "Inconclusive: no opinion from", "Asked by the server on 127.0.0.123:53, process 812, with what it has learned. Plugins before dnsmus in the server block (local, hosts) were not asked.\n"}, ""},
		{"host.example --json", 2, []string{`"verdict": "nxdomain"`}, ""},
		{"host.example A AAAA --json", 2, []string{"[\n  {\n", `"type": "A",`, `"type": "AAAA",`, "\n  }\n]\n"}, ""},
		{"old.example", 69, nil, "older than this command"},
		{"bad.example", 69, nil, "asked too often; wait a second"},
		{"cut.example", 69, nil, "ended before it had an outcome"},
	} {
		status, out, problems := explains(t, append(strings.Fields(tc.args), "-s", path)...)
		if status != tc.status || !strings.Contains(problems, tc.problems) || (problems == "") != (tc.problems == "") {
			t.Errorf("%s: status %d, want %d, %s", tc.args, status, tc.status, problems)
		}
		for _, want := range tc.out {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", tc.args, want, out)
			}
		}
	}
	if status, _, problems := explains(t, "host.example", "-s", path+"x"); status != 69 || !strings.Contains(problems, "there is no socket at") {
		t.Errorf("status %d, %s", status, problems)
	}
}

// Without a server that can be asked the command asks by itself, unless a server was named.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	stale := &client.Error{Text: "no server answers at /run/x: connection refused", Status: client.ExitUnavailable}
	several := &client.Error{Text: "several servers run; say which one is meant:\n  -s /run/x    process 1, on 127.0.0.1:53\n  -s /run/y    process 2, on 127.0.0.2:53", Status: client.ExitUnavailable}
	for _, tc := range []struct {
		cfg     config
		err     error
		because string
		alone   bool
	}{
		{config{}, client.ErrNoneFound, "", true},
		{config{}, stale, stale.Text, true},
		{config{}, &client.Error{Text: "permission denied", Status: client.ExitNoRights}, "permission denied", true},
		{config{}, several, "several servers run; say which one is meant: -s /run/x process 1, on 127.0.0.1:53; -s /run/y process 2, on 127.0.0.2:53", true},
		{config{socket: "/run/x"}, stale, "", false},
		{config{server: "127.0.0.1:53"}, client.ErrNoneFound, "", false},
	} {
		if because, alone := goesOn(&tc.cfg, tc.err); because != tc.because || alone != tc.alone {
			t.Errorf("%v: %q, %v", tc.err, because, alone)
		}
	}
}

// What has come is shown while others are waited for, and when that is interrupted.
func TestByServerInterrupted(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	var out output
	out.after = func(writes int) {
		if writes > 3 {
			stop()
		}
	}
	var problems strings.Builder
	c := command{name: "dnsmus explain", out: show.Screen{Writer: &out, Width: 80, Height: 24, Live: true}, problems: &problems}
	status := c.run(ctx, []string{"host.example", "-s", explaining(t, false)})
	text := testkit.Shown(t, out.String(), 80)
	if status != 130 || !strings.HasPrefix(text, "host.example. A: interrupted after ") || !strings.Contains(text, "NXDOMAIN") || !strings.Contains(out.String(), "waiting") || problems.Len() > 0 {
		t.Errorf("status %d, %s, leaves\n%s", status, problems.String(), text)
	}
}

func TestView(t *testing.T) {
	v := view{live: true, begun: time.Now()}
	o := told(0, "NOERROR", 0.012, nil, good)
	v.take(&api.Explained{Event: api.LineOver, Outcome: o})
	if !v.over || !v.live {
		t.Errorf("%+v", v)
	}
	v.interrupt() // while late replies are waited for: what is given is known
	if v.Interrupted || v.live || exit(&v.Outcome) != 0 {
		t.Errorf("%+v", v)
	}
	v.take(&api.Explained{Event: "newer"})
	v.take(&api.Explained{Event: api.LineLeg})
	if v.Verdict != "good" {
		t.Errorf("%+v", v)
	}
}
