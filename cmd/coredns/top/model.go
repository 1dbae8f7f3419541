package top

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// model is what is known of a server.
type model struct {
	now    time.Time // as of the last call of take
	server string    // its server block that is shown; empty: that which is chosen when the state is known
	words  string    // of the filter that was written
	view   string    // its word that a key stands for; empty: none

	state   *api.State
	broken  string // why there is no connection; empty: there is one, or not yet
	live    bool   // events come
	oneOf   int    // so many races are one that is told; 0: all
	narrow  bool   // the server chooses by view, too
	letters letters
	spark   map[string][]int // by upstream, how often it was asked in the last minute, at times that are sparkEvery apart
	sparkAt time.Time
	races   ring
	search  suffixes
	listed  func(*api.Race) bool // by words
	wanted  func(*api.Race) bool // and by view
}

// newModel returns one with a filter that is right, and the search domains of this system.
func newModel(server, words string, domains []string) *model {
	m := &model{server: server, spark: make(map[string][]int)}
	for _, domain := range domains {
		m.search.add(domain)
	}
	m.choose(words, "")
	return m
}

// choose shows the races that words, and one more of a key, are true of. It returns an error, and
// changes nothing, if they make no filter.
func (m *model) choose(words, view string) error {
	wanted, err := control.Wanted(words + " " + view)
	if err != nil {
		return err
	}
	m.words, m.view, m.wanted, m.narrow = words, view, wanted, view != "" && m.oneOf > 1
	m.listed, _ = control.Wanted(words)
	for _, r := range m.races.all {
		m.weigh(r)
	}
	return nil
}

// weigh finds out whether a row is wanted.
func (m *model) weigh(r *row) {
	r.inList = r.race == nil || m.listed(&r.race.Race)
	r.wanted = r.race == nil || m.wanted(&r.race.Race)
}

// request is what the server is asked for. As long as it tells all races, a key chooses among them
// here, where also what is folded is known; else the server does, so that none of these is missed.
func (m *model) request() request {
	r := request{server: m.server, filter: m.words}
	if m.narrow {
		r.filter = strings.TrimSpace(m.words + " " + m.view)
	}
	return r
}

// take takes what a feed tells. It reports whether the server is to be asked for something else than
// before.
func (m *model) take(told any, now time.Time) (ask bool) {
	m.now = now
	before := m.request()
	switch e := told.(type) {
	case begun:
		if m.broken != "" && m.state != nil {
			m.note(now, "connected again, to process "+strconv.Itoa(m.state.PID))
		}
		m.broken, m.oneOf, m.live = "", 0, true
	case broken:
		if m.broken == "" {
			m.note(now, e.why)
		}
		m.broken, m.live = e.why, false
	case *api.State:
		m.takeState(e)
	case *api.Remembered:
		m.takeRemembered(e)
	case *api.RaceEvent:
		m.takeRace(e)
	case *api.LateEvent:
		m.takeLate(e)
	case *api.UpstreamEvent:
		m.takeUpstream(e)
	case *api.ListEvent:
		m.note(e.At, show.ListEvent(e))
	case *api.ZoneEvent:
		m.note(e.At, show.ZoneEvent(e))
	case *api.LostEvent:
		m.note(e.At, show.LostEvent(e))
	case *api.SampledEvent:
		m.oneOf = e.OneOf
		m.narrow = m.narrow || m.view != "" && m.oneOf > 1
		m.note(e.At, show.SampledEvent(e))
	}
	return m.request() != before
}

// takeState takes the state of all server blocks.
func (m *model) takeState(s *api.State) {
	if m.state == nil || !m.state.Since.Equal(s.Since) || m.state.PID != s.PID {
		m.races.run++ // its races are numbered from the beginning
	}
	m.state = s
	if b := m.block(); b != nil {
		m.server = b.Server
		m.letters.keep(b.Upstreams)
		m.drawSparks(b.Upstreams)
		for i := range b.Upstreams {
			for _, domain := range b.Upstreams[i].Domains {
				m.search.add(domain)
			}
		}
	}
}

// block is the server block that is shown; nil: there is none yet.
func (m *model) block() *api.Server {
	if m.state == nil || len(m.state.Servers) == 0 {
		return nil
	}
	servers := m.state.Servers
	meant := func(name string) int {
		return slices.IndexFunc(servers, func(s api.Server) bool { return s.Server == name || slices.Contains(s.Listens, name) })
	}
	if i := meant(m.server); i >= 0 {
		return &servers[i]
	}
	return &servers[max(meant(client.Block(servers)), 0)]
}

// next shows the next of several server blocks.
func (m *model) next() {
	b := m.block()
	if b == nil || len(m.state.Servers) < 2 {
		return
	}
	for i := range m.state.Servers {
		if m.state.Servers[i].Server == b.Server {
			m.server = m.state.Servers[(i+1)%len(m.state.Servers)].Server
			break
		}
	}
	m.races.clear()
	m.letters, m.spark, m.sparkAt = letters{}, make(map[string][]int), time.Time{}
	m.takeState(m.state)
}

// upstream is the upstream of that name; nil: it is none of those that are in use.
func (m *model) upstream(name string) *api.Upstream {
	if b := m.block(); b != nil {
		for i := range b.Upstreams {
			if b.Upstreams[i].Upstream == name {
				return &b.Upstreams[i]
			}
		}
	}
	return nil
}

// takeUpstream takes a change before the next state tells it.
func (m *model) takeUpstream(e *api.UpstreamEvent) {
	if u := m.upstream(e.Upstream); u != nil {
		u.State, u.Since = e.State, e.At
	}
	m.note(e.At, show.StateEvent(e))
}

// note shows a sentence among the races.
func (m *model) note(at time.Time, text string) {
	m.races.add(&row{at: at, note: text, wanted: true, inList: true})
}

// drawSparks takes down how often upstreams were asked.
func (m *model) drawSparks(upstreams []api.Upstream) {
	if since := m.now.Sub(m.sparkAt); since >= 0 && since < sparkEvery {
		return
	}
	m.sparkAt = m.now
	kept := make(map[string][]int)
	for i := range upstreams {
		u := &upstreams[i]
		n := u.Minute.Asked
		if u.State == "down" || u.State == "gone" {
			n = notUp
		}
		points := append(m.spark[u.Upstream], n)
		kept[u.Upstream] = points[max(len(points)-sparkPoints, 0):]
	}
	m.spark = kept
}

// Sparks show the last two minutes.
const (
	sparkPoints = 20
	sparkEvery  = 6*time.Second - stateEvery/2 // at each third state
	notUp       = -1
)
