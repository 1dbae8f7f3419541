package top

import (
	"fmt"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMain(m *testing.M) { testkit.MainNoLeaks(m) }

var noon = time.Date(2026, 11, 30, 12, 4, 0, 0, time.Local)

func to[T any](v T) *T { return &v }

// Upstreams of the world that tests are in.
const (
	tun  = "10.1.0.53%tun0"
	wg   = "10.2.0.53%wg0"
	wlan = "192.168.1.1%wlan0"
	quad = "tls://9.9.9.9"
)

// state is that of a server with these upstreams.
func state(names ...string) *api.State {
	s := &api.State{Version: "0.9", PID: 812, Since: noon.Add(-76 * time.Hour), Servers: []api.Server{{
		Server: "127.0.0.123:53", Listens: []string{"127.0.0.123:53"}, Minute: api.Races{Seconds: 60, All: 2460, Good: 2288, Denied: 148, Failed: 24},
	}}}
	for i, name := range names {
		s.Servers[0].Upstreams = append(s.Servers[0].Upstreams, api.Upstream{
			Upstream: name, State: "up", Since: noon.Add(-time.Duration(i+1) * time.Hour), P50: to(0.004), P95: to(0.031),
			Minute: api.Tally{Asked: 2400 - 300*i, Good: 500}, Hour: api.Tally{Asked: 4000, Good: 1200, Denied: 2796, Failed: i, Only: 214 * i},
		})
	}
	return s
}

// raced is a race of the name, of which the verdicts of upstreams are said in order; the first that
// is the race's own has won.
func raced(id int, name, verdict string, upstreams []string, said ...string) *api.RaceEvent {
	rcode := map[string]string{"nxdomain": "NXDOMAIN", "servfail": "SERVFAIL", "refused": "REFUSED", "error": "NOTIMP"}
	code := func(v string) string {
		if rcode[v] == "" {
			return "NOERROR"
		}
		return rcode[v]
	}
	e := &api.RaceEvent{Event: api.EventRace, Clients: 1, Race: api.Race{ID: fmt.Sprintf("%x", id), At: noon.Add(time.Duration(id) * 100 * time.Millisecond), Server: "127.0.0.123:53"}}
	e.Outcome = api.Outcome{Name: name, Type: "A", Verdict: verdict, Rcode: code(verdict), Seconds: 0.012, Conclusive: true, Asked: api.AskedAll}
	for i, v := range said {
		l := api.Leg{Upstream: upstreams[i], Verdict: v, Seconds: to(0.01), Rcode: to(code(v)), Why: "said " + v}
		switch v {
		case "down":
			l = api.Leg{Upstream: upstreams[i], Verdict: "none", Down: true, Why: "down"}
		case "none":
			l = api.Leg{Upstream: upstreams[i], Verdict: "none", Why: "no reply in time"}
		case "unasked":
			l = api.Leg{Upstream: upstreams[i], Verdict: "none", Unasked: true, Why: "not asked"}
		case "good":
			l.Data = to(fmt.Sprintf("10.1.0.%d", 10+i))
		}
		if v == verdict && e.Upstream == nil {
			l.Winner, e.Upstream, e.Data = true, &upstreams[i], l.Data
		}
		if v == "down" || v == "none" {
			e.Missing = append(e.Missing, api.Missing{Upstream: upstreams[i], Why: l.Why})
			e.Conclusive = verdict == "good"
		}
		e.Upstreams = append(e.Upstreams, l)
	}
	if verdict == "nxdomain" {
		e.TTL = to(uint32(5))
	}
	return e
}

var all = []string{tun, wg, wlan, quad}

// told is a model that was told these, each when it was.
func told(events ...any) *model {
	m := newModel("", "", nil)
	m.take(state(all...), noon)
	m.take(begun{}, noon)
	for _, e := range events {
		m.take(e, noon.Add(time.Minute))
	}
	return m
}

// shows are the lines that a model has, the newest first: the name of a race and how many it stands
// for, or a sentence.
func shows(m *model) (lines []string) {
	for _, r := range (&ui{model: m}).visible() {
		if r.race == nil {
			lines = append(lines, r.note)
		} else {
			lines = append(lines, nameIn(r, 300))
		}
	}
	return lines
}
