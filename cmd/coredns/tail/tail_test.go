package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

func to[T any](v T) *T { return &v }

var noon = time.Date(2026, 11, 30, 12, 4, 31, 0, time.Local)

func of(kind string) api.Event { return api.Event{Event: kind, At: noon} }

// sample is an event of each kind.
func sample() []any {
	raced := func(change func(*api.RaceEvent)) api.RaceEvent {
		e := api.RaceEvent{Event: api.EventRace, Clients: 1}
		e.ID, e.Race.At, e.Name, e.Type, e.Verdict, e.Rcode, e.Seconds = "17a", noon, "wiki.corp.example.", "A", "good", "NOERROR", 0.012
		change(&e)
		return e
	}
	return []any{
		of(api.EventBegin),
		raced(func(e *api.RaceEvent) {
			e.Upstream = to("10.1.0.53%tun0")
			e.Data = to("10.1.0.10, 10.1.0.11")
		}),
		raced(func(e *api.RaceEvent) {
			e.ID, e.Name, e.Verdict, e.Rcode, e.Clients = "17b", "nas.corp.exmaple.", "nxdomain", "NXDOMAIN", 3
			e.Missing = []api.Missing{{Upstream: "10.2.0.53%wg0", Why: "no reply in time, nor to other queries"}}
		}),
		raced(func(e *api.RaceEvent) { e.Cached, e.Upstream, e.Data = true, to("10.1.0.53%tun0"), to("10.1.0.10") }),
		raced(func(e *api.RaceEvent) { e.Verdict, e.Rcode, e.Changed = "nxdomain", "SERVFAIL", to("away") }),
		raced(func(e *api.RaceEvent) { e.Verdict, e.Rcode, e.Filtered = "nodata", "NOERROR", true }),
		raced(func(e *api.RaceEvent) { e.Differ = []string{"a", "b"} }),
		api.LateEvent{Event: of(api.EventLate), ID: "17b", Upstream: "10.2.0.53%wg0", Seconds: 2.2, Verdict: "good", WouldHaveWon: true},
		api.LateEvent{Event: of(api.EventLate), ID: "0", Upstream: "10.2.0.53%wg0", Seconds: 2.2, Verdict: "nxdomain"},
		api.UpstreamEvent{Event: of(api.EventUpstream), Upstream: "10.2.0.53%wg0", State: "down", Why: "silent for 2s", Waiting: 3},
		api.UpstreamEvent{Event: of(api.EventUpstream), Upstream: "10.2.0.53%wg0", State: "up"},
		api.ListEvent{Event: of(api.EventList), Upstreams: []string{"a", "b"}, Added: []string{"b"}, Removed: []string{"c"}},
		api.ZoneEvent{Event: of(api.EventZone), Zone: "example.org.", Change: "differ", Upstreams: []string{"a", "b"}},
		api.LostEvent{Event: of(api.EventLost), Events: 123},
		api.SampledEvent{Event: of(api.EventSampled), OneOf: 10},
		api.SampledEvent{Event: of(api.EventSampled), OneOf: 1},
		of("unheard of"),
		of(api.EventEnd),
	}
}

// run runs the command against a server that tells events, and then hangs on or not.
func run(t *testing.T, ctx context.Context, events []any, hang bool, out io.Writer, args ...string) (status int, problems, filter string) {
	t.Helper()
	path := testkit.Socket(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := json.NewEncoder(w)
		if r.URL.Path == api.Status {
			e.Encode(api.State{PID: 812, Servers: []api.Server{{Server: "127.0.0.123:53"}}})
			return
		}
		filter = r.URL.Query().Get(api.ParamFilter)
		for _, event := range events {
			e.Encode(event)
		}
		w.(http.Flusher).Flush()
		if hang {
			<-r.Context().Done()
		}
	}))
	var stderr bytes.Buffer
	status = Run(ctx, client.NewCommand("dnsmus", Name, show.Screen{Writer: out}, &stderr), append(args, "-s", path))
	return status, stderr.String(), filter
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	status, problems, filter := run(t, t.Context(), sample(), false, &out, "corp.example", "!denied")
	if status != 0 || filter != "corp.example !denied" || problems != "dnsmus tail: Asked: the server on 127.0.0.123:53, process 812.\ndnsmus tail: the server has ended\n" {
		t.Errorf("status %d, filter %q, %s", status, filter, problems)
	}
	testkit.Golden(t, filepath.Join("testdata", "tail.txt"), testkit.Shown(t, out.String(), 1000))
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	run(t, t.Context(), sample(), false, &out, "--json")
	lines := strings.Split(strings.TrimSpace(testkit.Shown(t, out.String(), 10000)), "\n")
	if len(lines) != len(sample()) {
		t.Fatalf("%d lines", len(lines))
	}
	for i, line := range lines {
		want, _ := json.Marshal(sample()[i])
		if line != string(want) {
			t.Errorf("got %s\nwant %s", line, want)
		}
	}
}

// Names, and what upstreams say, change no terminal.
func TestHostile(t *testing.T) {
	e := sample()[2].(api.RaceEvent)
	e.Name, e.Missing[0].Why, e.Missing[0].Upstream = testkit.Hostile, testkit.Hostile, testkit.Hostile
	u := sample()[9].(api.UpstreamEvent)
	u.Why = testkit.Hostile
	for _, args := range [][]string{nil, {"--json"}} {
		var out bytes.Buffer
		run(t, t.Context(), []any{e, u}, false, &out, args...)
		if text := testkit.Shown(t, out.String(), 10000); !strings.Contains(text, "onerror") || strings.Count(text, "\n") != 2 {
			t.Errorf("got\n%s", text)
		}
	}
}

// Of several server blocks a line says which one it is of.
func TestSeveralBlocks(t *testing.T) {
	e := sample()[9].(api.UpstreamEvent)
	e.Server = "127.0.0.1:54"
	line, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for several, want := range map[bool]string{false: "3 queries wait for it", true: "3 queries wait for it; server 127.0.0.1:54"} {
		w := writer{several: several}
		if text, err := w.text(line); err != nil || !strings.HasSuffix(text, want) {
			t.Errorf("%q, %v, want %q", text, err, want)
		}
	}
}

// A word without text is one that a script had no value for.
func TestEmptyWord(t *testing.T) {
	status, problems, _ := run(t, t.Context(), nil, false, io.Discard, "corp.example", "")
	if status != 64 || !strings.Contains(problems, "a word of FILTER is empty") {
		t.Errorf("status %d, %s", status, problems)
	}
}

// It goes on until Ctrl-C.
func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var once sync.Once
	status, problems, _ := run(t, ctx, sample(), true, writes(func(b []byte) (int, error) {
		once.Do(stop)
		return len(b), nil
	}))
	if status != 0 || strings.Contains(problems, "ended") {
		t.Errorf("status %d, %s", status, problems)
	}
}

func TestOutputFails(t *testing.T) {
	status, problems, _ := run(t, t.Context(), sample(), true, writes(func([]byte) (int, error) { return 0, io.ErrClosedPipe }))
	if status != 74 || !strings.HasSuffix(problems, "\ndnsmus tail: cannot write: io: read/write on closed pipe\n") {
		t.Errorf("status %d, %s", status, problems)
	}
}

type writes func([]byte) (int, error)

func (w writes) Write(b []byte) (int, error) { return w(b) }

func TestRecent(t *testing.T) {
	var r recent
	for n := range 3000 {
		r.add(string(rune('a'+n%7))+strings.Repeat("x", n), "about")
	}
	r.add("last", "the last")
	if r.find("last") != "the last" || r.find("a") != "" || r.find("") != "" {
		t.Error("it remembers wrongly")
	}
}
