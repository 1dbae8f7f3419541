package handler

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
)

// eventSize is how much memory the event of a race takes, beside its messages, in bytes.
const eventSize = 1 << 10

// publish has those who read events read a race. What takes long is done when they do.
func (h *Handler) publish(t pool.Told) {
	c, legs, members := h.control, t.Race.Legs(), t.Among()
	res, id, at, clients := t.Result, t.ID, t.At, t.Clients
	name, qtype := pool.NameOf(t.Question), qtypeOf(t.Question)
	ttl, hasTTL := t.LeastTTL(h.cfg.NegativeTTL)
	if t.Stale != nil {
		ttl, hasTTL = cache.StaleTTL, true
	}
	size := eventSize
	for i := range legs {
		size += len(legs[i].Msg)
	}
	c.Memory.Events.PublishLarge(func() any {
		q := dns.Question{Name: history.Presentation(name), Qtype: qtype, Qclass: dns.ClassINET}
		e := &api.RaceEvent{Event: api.EventRace, Clients: clients, Race: api.Race{
			ID: idText(id), At: at.UTC(), Server: c.Name, Outcome: outcome.Of(&h.cfg.Values, q, res, members, legs),
		}}
		if hasTTL {
			until := at.UTC().Add(time.Duration(ttl) * time.Second)
			e.TTL, e.Until = &ttl, &until
		}
		if res.KeptFor > 0 {
			until := at.UTC().Add(res.KeptFor)
			e.KeptUntil = &until
		}
		return e
	}, size)
}

// publishKept has those who read events read that a reply was given that was kept.
func (h *Handler) publishKept(question []byte, kept *pool.Kept) {
	c := h.control
	e := &api.RaceEvent{Event: api.EventRace, Clients: 1, Cached: true, Race: api.Race{
		ID: idText(pool.NextID()), At: time.Now().UTC(), Server: c.Name,
		Outcome: api.Outcome{
			Name: history.Presentation(pool.NameOf(question)), Type: dns.Type(qtypeOf(question)).String(), Verdict: kept.Verdict.String(),
			Rcode: dns.RcodeToString[kept.Rcode()], Conclusive: !kept.Inconclusive, Asked: api.AskedNone,
			Missing: []api.Missing{}, Differ: []string{}, Parts: []api.Part{}, Upstreams: []api.Leg{},
		},
	}}
	if len(kept.Givers) > 0 {
		by := kept.Givers[0].String()
		e.Upstream = &by
	}
	until := kept.Ends().UTC()
	e.KeptUntil = &until
	c.Memory.Events.PublishLarge(func() any { return e }, eventSize)
}

// publishState has those who read events read that an upstream's state has changed.
func (h *Handler) publishState(upstream, state, why string, waiting int) {
	if c := h.control; c != nil && c.Memory.Events.Awake() {
		c.Memory.Events.Publish(api.UpstreamEvent{
			Event:    api.Event{Event: api.EventUpstream, At: time.Now().UTC(), Server: c.Name},
			Upstream: upstream, State: state, Why: why, Waiting: waiting,
		})
	}
}

// publishConflict has those who read events read that answers in a zone differ.
func (h *Handler) publishConflict(zone string, a, b *pool.Member) {
	if c := h.control; c != nil && c.Memory.Events.Awake() {
		c.Memory.Events.Publish(api.ZoneEvent{
			Event: api.Event{Event: api.EventZone, At: time.Now().UTC(), Server: c.Name},
			Zone:  zone, Change: "differ", Upstreams: []string{a.String(), b.String()},
		})
	}
}
