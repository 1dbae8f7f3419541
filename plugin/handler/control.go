package handler

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/account"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Place is where a server block stands.
type Place struct {
	Listens []string // addresses and ports, with the transport before them if that is none of plain DNS
	Zones   []string // in canonical form
	InFront bool     // the plugin cache stands before dnsmus
	Before  []string // other plugins that do, and may answer
}

// controlled is what a handler has to do with a control socket.
type controlled struct {
	*control.Block
	socket *control.Socket
	leave  func()
}

// CheckControl returns why the control socket that a Corefile names cannot be opened, as far as that
// is known without making anything.
func (h *Handler) CheckControl() error {
	if !h.cfg.Control || h.cfg.Socket == "" || h.cfg.Socket == api.OwnWord {
		return nil
	}
	return control.Check(h.cfg.Socket)
}

// openControl opens the control socket, if there is to be one, and joins it.
func (h *Handler) openControl() error {
	if !h.cfg.Control {
		return nil
	}
	path := h.cfg.Socket
	var err error
	switch path {
	case "":
		path, err = api.Default()
	case api.OwnWord:
		if path, err = api.Own(); err == nil {
			control.RemoveLeft(path)
		}
	}
	if err != nil {
		return err
	}
	s, err := control.Open(path, control.Hooks{Logf: log.Infof, Watchers: func(n int) { watchers.Add(float64(n)) }})
	if err != nil {
		return err
	}
	b := &control.Block{
		Name: h.place.name(), Listens: h.place.Listens, Zones: h.place.Zones, InFront: h.place.InFront, Before: h.place.Before,
		Values: &h.cfg.Values, Pool: h.pool, ToldBy: h.toldBy, Unusable: h.unusable,
		Failing: func(m *pool.Member) time.Time { return observerOf(m).series.failingSince() },
	}
	b.Memory = s.Memory(b.Name, h.cfg.Remembers(), h.cfg.ZonesOnly)
	h.control = &controlled{Block: b, socket: s, leave: s.Join(b)}
	return nil
}

// name is how a server block is named on the control socket.
func (p *Place) name() string {
	name := "dnsmus"
	if len(p.Listens) > 0 {
		name = p.Listens[0]
	}
	if len(p.Zones) == 1 && p.Zones[0] != "." {
		name += "/" + p.Zones[0]
	}
	return name
}

// close leaves the control socket.
func (c *controlled) close() {
	if c != nil {
		c.leave()
		c.socket.Release()
	}
}

// reached is the reply to a query by which a command sees whether programs ask this server; nil to
// all others.
func (c *controlled) reached(r *dns.Msg) *dns.Msg {
	if c == nil {
		return nil
	}
	return c.socket.Reached(r)
}

// toldBy are the sources that name an upstream.
func (h *Handler) toldBy(s server.Server) []string {
	if h.follow != nil {
		if by := (*h.follow.toldBy.Load())[s.ID]; len(by) > 0 {
			return by
		}
	}
	return []string{"Corefile"}
}

// unusable says which sources of upstreams cannot be used now, and why.
func (h *Handler) unusable() []string {
	if h.follow == nil {
		return nil
	}
	return *h.follow.unusable.Load()
}

// account is where it is counted what becomes of an upstream's part in races; nil: it is not.
func (h *Handler) account(s server.Server) *account.Upstream {
	if h.control == nil {
		return nil
	}
	return h.control.Memory.Upstream(s)
}

// over takes down a race of clients that is over, and reports whether replies that come later are
// to be shown.
func (h *Handler) over(t pool.Told) (late bool) {
	c := h.control
	if c == nil {
		return false
	}
	at := instant.Of(t.At)
	c.Memory.Races.Add(kindOf(t.Result), 1, at)
	if worth(t.Result, t.Question) {
		h.rememberRace(&t)
	}
	return c.Memory.Events.Awake() && h.publish(t)
}

// kindOf is how a race is counted.
func kindOf(res *pool.Result) int {
	switch {
	case res.Stale != nil, res.Verdict.Wins():
		return account.Good
	case res.Verdict.Negative():
		return account.Denied
	}
	return account.Failed
}

// worth reports whether a race is remembered.
func worth(res *pool.Result, question []byte) bool {
	switch {
	case res.Took >= history.Slow, res.Stale != nil, res.Proven, res.Away:
		return true
	case res.Verdict.Wins():
		return race.Filtered(res.Msg, res.Verdict)
	case res.Verdict == race.NoData, res.Verdict == race.NoDataSOA:
		return res.Inconclusive() || qtypeOf(question) == dns.TypeA
	}
	return true
}

// lateReply takes a reply that came when its race was over.
func (h *Handler) lateReply(r pool.LateReply) {
	by := observerOf(r.By)
	if r.Wrong {
		by.series.denials.Inc()
	}
	c := h.control
	if c == nil {
		return
	}
	if r.Wrong {
		c.Memory.Races.Add(account.WrongDenials, 1, instant.Now())
		c.Memory.History().Late(r.ID, pool.NameOf(r.Question), by.name, r.After)
	}
	if c.Memory.Events.Awake() {
		c.Memory.Events.Publish(api.LateEvent{
			Event: api.Event{Event: api.EventLate, At: time.Now().UTC(), Server: c.Name},
			ID:    idText(r.ID), Upstream: by.name, Seconds: r.After.Seconds(), Verdict: r.Verdict.String(), WouldHaveWon: r.Wrong,
		})
	}
}
