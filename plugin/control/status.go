package control

import (
	"net/http"
	"os"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/version"
)

// begun is when the process began, or nearly.
var begun = time.Now()

// maxKnows is how many zones of an upstream are named.
const maxKnows = 10

func (s *Socket) status(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get(api.ParamServer)
	blocks := s.use(name)
	if name != "" {
		if blocks = s.meant(w, name); blocks == nil {
			return
		}
	}
	state := api.State{PID: os.Getpid(), Since: begun.UTC(), Version: version.String(), Socket: s.Path, Servers: []api.Server{}}
	for _, b := range blocks {
		state.Servers = append(state.Servers, b.state(time.Now()))
	}
	reply(w, state)
}

// state is that of a block.
func (b *Block) state(now time.Time) api.Server {
	v := b.Values
	s := api.Server{
		Server: b.Name, Listens: list(b.Listens), Zones: list(b.Zones),
		Timeout: v.Rules.Timeout.Seconds(), Patience: v.Patience.Seconds(), Learns: v.Learn > 0, Prefer: preferences[v.Prefer],
		InFront: b.InFront, Before: list(b.Before), Watchers: b.Memory.Events.Readers(), Upstreams: []api.Upstream{}, Notes: []string{},
	}
	if v.Cache > 0 {
		n := b.Pool.KeptReplies()
		s.Cache = &n
	}
	s.Minute, s.Hour = racesOf(&b.Memory.Races, now)
	known := b.known(now)
	for _, m := range b.Pool.Members() {
		u := b.upstream(m, known[m], now)
		s.Notes = append(s.Notes, notes(&u, known[m])...)
		s.Upstreams = append(s.Upstreams, u)
	}
	s.Notes = append(s.Notes, b.unusable()...)
	if v.Prefer == option.None {
		s.Notes = append(s.Notes, b.differences(now)...)
	}
	return s
}

var preferences = map[option.Preference]string{option.Order: "order", option.Private: "private"}

func racesOf(t *account.Tally, now time.Time) (minute, hour api.Races) {
	last, all := t.Lately(instant.Of(now))
	races := func(n account.Sums, span float64) api.Races {
		return api.Races{
			Seconds: min(span, time.Since(begun).Seconds()), All: n[account.Good] + n[account.Denied] + n[account.Failed],
			Good: n[account.Good], Denied: n[account.Denied], Failed: n[account.Failed], WrongDenials: n[account.WrongDenials],
		}
	}
	return races(last, 60), races(all, 3600)
}

// upstream is the state of an upstream.
func (b *Block) upstream(m *pool.Member, known []*soleZone, now time.Time) api.Upstream {
	s, counts := m.Standing(), m.Account()
	u := api.Upstream{
		Upstream: m.String(), ToldBy: list(b.ToldBy(m.Server)), Domains: list(m.Server.Domains),
		State: stateOf(&s, m.Server), Since: counts.Changed().UTC(),
		UnresponsiveTypes: []string{}, UnresponsiveZones: []string{}, Knows: []string{}, KnowsAll: len(known),
		UDP: pathOf(s.UDP), Stream: pathOf(s.Stream),
	}
	if m.Server.Link != "" {
		name, word := printable.Text(m.Server.Link), linkWords[s.Link]
		u.Link, u.LinkState = &name, &word
	}
	for _, t := range s.Types {
		u.UnresponsiveTypes = append(u.UnresponsiveTypes, dns.Type(t).String())
	}
	for _, z := range s.Zones {
		u.UnresponsiveZones = append(u.UnresponsiveZones, history.Presentation([]byte(z)))
	}
	for _, z := range known[:min(len(known), maxKnows)] {
		u.Knows = append(u.Knows, z.name)
	}
	if path := pathName(&s, m.Server.Transport); path != "" {
		u.Path = &path
	}
	switch {
	case !s.NoEDNS.IsZero():
		no, until := false, s.NoEDNS.UTC()
		u.EDNS, u.EDNSUntil = &no, &until
	case s.EDNS:
		u.EDNS = &s.EDNS
	}
	if s.Signs {
		u.Signs = &s.Signs
	}
	u.RTT = secondsOf(s.RTT)
	median, p95 := b.Pool.Latency(m)
	u.P50, u.P95 = secondsOf(median), secondsOf(p95)
	minute, hour := counts.Lately(instant.Of(now))
	u.Minute, u.Hour = tallyOf(minute, s.Waiting), tallyOf(hour, s.Waiting)
	if text, at := counts.LastError(); text != "" {
		u.LastError = &api.LastError{At: at.UTC(), Text: printable.Text(text)}
	}
	if since := b.Failing(m); u.State == "up" && !since.IsZero() {
		u.State, u.Since = "failing", since.UTC()
	}
	u.About = about(&u, &s, m.Server.Transport)
	return u
}

var linkWords = map[link.State]string{link.Gone: "gone", link.Bound: "bound", link.Unbound: "unbound"}

// stateOf is the state in a word.
func stateOf(s *upstream.Standing, of server.Server) string {
	switch {
	case of.Link != "" && s.Link == link.Gone:
		return "gone"
	case s.Down:
		return "down"
	}
	return "up"
}

// pathName is by which path the upstream is asked; empty: it never was.
func pathName(s *upstream.Standing, t server.Transport) string {
	stream := map[server.Transport]string{server.TLS: "tls", server.HTTPS: "https", server.QUIC: "quic"}[t]
	switch {
	case !s.UDP.Used && !s.Stream.Used:
		return ""
	case stream != "":
		return stream
	case s.OverStream:
		return "tcp"
	}
	return "udp"
}

func pathOf(p upstream.PathStanding) *api.Path {
	if !p.Used {
		return nil
	}
	path := &api.Path{OK: !p.Failed}
	if !p.Retry.IsZero() {
		retry := p.Retry.UTC()
		path.RetryAt = &retry
	}
	return path
}

func secondsOf(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	seconds := d.Seconds()
	return &seconds
}

// tallyOf is what was counted of an upstream. Silent are those that were asked and of which nothing
// has come, but for those that may still.
func tallyOf(n account.Sums, waiting int) api.Tally {
	t := api.Tally{
		Asked: n[account.Asked], Good: n[account.Good], Denied: n[account.Denied], NoOpinion: n[account.NoOpinion],
		Failed: n[account.Failed], Filtered: n[account.Filtered], Won: n[account.Won], Only: max(0, n[account.Only]),
	}
	t.Silent = max(0, t.Asked-t.Good-t.Denied-t.NoOpinion-t.Failed-waiting)
	return t
}
