package handler

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
)

// eventSize is how much memory the event of a race takes, beside its messages, in bytes.
const eventSize = 4 << 10

// publish has those who read events read a race. What takes long is done when they do.
func (h *Handler) publish(t pool.Told) {
	c, legs, members := h.control, t.Race.Legs(), t.Among()
	res, id, at, clients := t.Result, t.ID, t.At, t.Clients
	r := &control.Race{
		Facts: control.Facts{
			Name: pool.NameOf(t.Question), Type: qtypeOf(t.Question), Verdict: t.Verdict, Took: t.Took, Differ: t.Differ, Asked: outcome.Asked(res),
		},
		Size: eventSize,
	}
	if t.Stale != nil {
		r.Facts.Verdict, r.Facts.Upstream = t.Stale.Verdict, pool.Names(t.Stale.Givers)
	} else if t.Leg >= 0 {
		r.Facts.Upstream = t.Members[t.Leg].String()
	}
	for i := range legs {
		r.Size += len(legs[i].Msg)
		if legs[i].Verdict == race.Good {
			r.Facts.Good = append(r.Facts.Good, members[i].String())
		}
	}
	ttl, hasTTL := t.LeastTTL(h.cfg.NegativeTTL)
	if t.Stale != nil {
		ttl, hasTTL = cache.StaleTTL, true
	}
	r.Make = func() *api.RaceEvent {
		q := dns.Question{Name: history.Presentation(r.Facts.Name), Qtype: r.Facts.Type, Qclass: dns.ClassINET}
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
	}
	c.Memory.Events.PublishRace(r)
}

// publishKept has those who read events read that a reply was given that was kept.
func (h *Handler) publishKept(question []byte, kept *pool.Kept) {
	c, id, at := h.control, pool.NextID(), time.Now()
	r := &control.Race{
		Facts: control.Facts{Name: pool.NameOf(question), Type: qtypeOf(question), Verdict: kept.Verdict, Asked: api.AskedNone},
		Size:  eventSize,
	}
	if len(kept.Givers) > 0 {
		r.Facts.Upstream = kept.Givers[0].String()
	}
	r.Make = func() *api.RaceEvent {
		until := kept.Ends().UTC()
		e := &api.RaceEvent{Event: api.EventRace, Clients: 1, Cached: true, Race: api.Race{
			ID: idText(id), At: at.UTC(), Server: c.Name, KeptUntil: &until,
			Outcome: api.Outcome{
				Name: history.Presentation(r.Facts.Name), Type: dns.Type(r.Facts.Type).String(), Verdict: kept.Verdict.String(),
				Rcode: dns.RcodeToString[kept.Rcode()], Conclusive: !kept.Inconclusive, Asked: api.AskedNone,
				Missing: []api.Missing{}, Differ: []string{}, Parts: []api.Part{}, Upstreams: []api.Leg{},
			},
		}}
		if r.Facts.Upstream != "" {
			e.Upstream = &r.Facts.Upstream
		}
		return e
	}
	c.Memory.Events.PublishRace(r)
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
