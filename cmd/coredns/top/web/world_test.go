package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
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

// Upstreams of the world that tests are in.
const (
	tun  = "10.1.0.53%tun0"
	wg   = "10.2.0.53%wg0"
	wlan = "192.168.1.1%wlan0"
	quad = "tls://9.9.9.9"
)

var all = []string{tun, wg, wlan, quad}

// world is a server at a control socket, which says what a test has it say.
type world struct {
	mu         sync.Mutex
	pid        int
	upstreams  []api.Upstream
	remembered []api.Remembered
	zones      []api.Zone
	readers    map[chan []byte]bool
	asked      []string // requests
	headers    []http.Header
	down       bool
}

func newWorld(names ...string) *world {
	w := &world{pid: 812, readers: make(map[chan []byte]bool)}
	for i, name := range names {
		u := api.Upstream{
			Upstream: name, State: "up", Since: time.Now().Add(-time.Duration(i+1) * time.Hour), P50: to(0.004 * float64(i+1)), P95: to(0.031),
			Minute: api.Tally{Asked: 2400 - 300*i, Good: 500, Denied: 1700}, Hour: api.Tally{Asked: 4000, Good: 1200 * i, Denied: 2796, Failed: i, Only: 214 * i},
		}
		w.upstreams = append(w.upstreams, u)
	}
	return w
}

func (w *world) state() api.State {
	return api.State{Version: "0.9", PID: w.pid, Since: time.Now().Add(-76 * time.Hour).Truncate(time.Hour * 24), Servers: []api.Server{{
		Server: "127.0.0.123:53", Listens: []string{"127.0.0.123:53"}, Upstreams: w.upstreams, Notes: []string{},
		Minute: api.Races{Seconds: 60, All: 2460, Good: 2288, Denied: 148, Failed: 24},
	}}}
}

// ServeHTTP implements http.Handler.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.asked = append(w.asked, r.Method+" "+r.URL.RequestURI())
	w.headers = append(w.headers, r.Header)
	down, state, remembered, zones := w.down, w.state(), w.remembered, w.zones
	w.mu.Unlock()
	write := json.NewEncoder(out)
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case r.URL.Path == api.Status:
		write.Encode(state)
	case r.URL.Path == api.Zones:
		for i := range zones {
			write.Encode(&zones[i])
		}
	case r.URL.Path == api.History:
		for i := range remembered {
			if name := r.URL.Query().Get(api.ParamName); name == "" || name == remembered[i].Name {
				write.Encode(&remembered[i])
			}
		}
	case strings.Contains(r.URL.Query().Get(api.ParamFilter), "nonsense"):
		out.WriteHeader(http.StatusBadRequest)
		write.Encode(api.Error{Error: "\"nonsense\" is no word of a filter"})
	default:
		w.events(out, r)
	}
}

func (w *world) events(out http.ResponseWriter, r *http.Request) {
	news := make(chan []byte, 4096)
	w.mu.Lock()
	w.readers[news] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.readers, news)
	}()
	flush := http.NewResponseController(out).Flush
	json.NewEncoder(out).Encode(api.Event{Event: api.EventBegin, At: time.Now()})
	flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case text := <-news:
			if text == nil {
				return
			}
			out.Write(text)
			if len(news) == 0 {
				flush()
			}
		}
	}
}

// tell tells all readers of events something.
func (w *world) tell(events ...any) {
	for _, e := range events {
		text, err := json.Marshal(e)
		if err != nil {
			panic(err)
		}
		w.send(append(text, '\n'))
	}
}

func (w *world) send(line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for news := range w.readers {
		news <- line
	}
}

// watched is how many read events.
func (w *world) watched() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.readers)
}

// change changes what the world is.
func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// command is a run of top with the world's socket.
func (w *world) command(t *testing.T, args ...string) (c *client.Command, out *bytes.Buffer) {
	t.Helper()
	out = new(bytes.Buffer)
	c = client.NewCommand("dnsmus", "top", show.Screen{Writer: out}, new(bytes.Buffer))
	if status, ok := c.Parse(append([]string{"-s", testkit.Socket(t, w)}, args...), -1, ""); !ok {
		t.Fatal(status)
	}
	return c, out
}

// serve serves the page of a world until the test ends.
func (w *world) serve(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c, _ := w.command(t)
	s := newSite(l.Addr().String(), newToken(), c)
	ctx := t.Context() // is done before what follows
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve(ctx, l)
	}()
	t.Cleanup(func() { <-done })
	return s
}

// raced is a race of the name, of which the verdicts of upstreams are said in order; the first that
// is the race's own has won.
func raced(id int, name, verdict string, said ...string) *api.RaceEvent {
	rcode := map[string]string{"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "refused": "REFUSED", "error": "NOTIMP"}
	code := func(v string) string {
		if rcode[v] == "" {
			return "NOERROR"
		}
		return rcode[v]
	}
	e := &api.RaceEvent{Event: api.EventRace, Clients: 1, Race: api.Race{ID: fmt.Sprintf("%06x", id), At: time.Now(), Server: "127.0.0.123:53"}}
	e.Outcome = api.Outcome{Name: name, Type: "A", Verdict: verdict, Rcode: code(verdict), Seconds: 0.012, Conclusive: true, Asked: api.AskedAll, Differ: []string{}, Missing: []api.Missing{}}
	for i, v := range said {
		l := api.Leg{Upstream: all[i], Verdict: v, Seconds: to(0.01 + 0.003*float64(i)), Rcode: to(code(v)), Why: "said " + v}
		switch v {
		case "down":
			l = api.Leg{Upstream: all[i], Verdict: "none", Down: true, Why: "down, so it was not waited for"}
		case "none":
			l = api.Leg{Upstream: all[i], Verdict: "none", Why: "no reply in time"}
		case "unasked":
			l = api.Leg{Upstream: all[i], Verdict: "none", Unasked: true, Why: "not asked"}
		case "good":
			l.Data, l.Why = to(fmt.Sprintf("10.1.0.%d", 10+i)), "good answer"
			l.Answer = []string{fmt.Sprintf("%s\t60\tIN\tA\t10.1.0.%d", name, 10+i)}
		case "nxdomain":
			l.Why = "no such name"
		}
		if v == verdict && e.Upstream == nil {
			l.Winner, e.Upstream, e.Data = true, &all[i], l.Data
		}
		if v == "down" || v == "none" {
			e.Missing = append(e.Missing, api.Missing{Upstream: all[i], Why: l.Why})
			e.Conclusive = verdict == "good"
		}
		e.Upstreams = append(e.Upstreams, l)
	}
	if verdict == "nxdomain" {
		e.TTL = to(uint32(5))
	}
	return e
}
