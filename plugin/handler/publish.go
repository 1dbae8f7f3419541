package handler

import (
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// eventSize is how much memory the event of a race takes, beside its messages, in bytes.
const eventSize = 4 << 10

// watched reports whether somebody reads events.
func (h *Handler) watched() bool { return h.control != nil && h.control.Memory.Events.Awake() }

// publish has those who read events read a race, and reports whether one does. What takes long is
// done when they do.
//
//go:noinline
func (h *Handler) publish(t pool.Told) (shown bool) {
	var buf [255]byte
	f := control.Facts{
		Name: wire.AppendName(buf[:0], t.Question), Type: qtypeOf(t.Question), Verdict: t.Verdict, Took: t.Took, Differ: t.Differ,
		Asked: outcome.Asked(t.Result), Good: func() []string { return goodOf(&t) },
	}
	if t.Stale != nil {
		f.Verdict, f.Upstream = t.Stale.Verdict, pool.Names(t.Stale.Givers)
	} else if t.Leg >= 0 {
		f.Upstream = t.Members[t.Leg].String()
	}
	return h.control.Memory.Events.PublishRace(&f, t.At, func() (func() *api.RaceEvent, int) { return h.eventOf(t) })
}

// goodOf are the upstreams that had a good answer when a race was over.
func goodOf(t *pool.Told) (names []string) {
	t.Race.EachLeg(func(i int, leg *race.LegReport) {
		if leg.Verdict == race.Good && i < len(t.Among()) {
			names = append(names, t.Among()[i].String())
		}
	})
	return names
}

// eventOf is a race as it is now, to be put in words later, and its size in bytes.
func (h *Handler) eventOf(t pool.Told) (event func() *api.RaceEvent, size int) {
	legs, members, name, size := t.Race.Legs(), t.Among(), pool.NameOf(t.Question), eventSize
	for i := range legs {
		size += len(legs[i].Msg)
	}
	ttl, hasTTL := t.LeastTTL(h.cfg.NegativeTTL)
	if t.Stale != nil {
		ttl, hasTTL = cache.StaleTTL, true
	}
	q := dns.Question{Qtype: qtypeOf(t.Question), Qclass: dns.ClassINET}
	at, server := t.At.UTC(), h.control.Name
	return func() *api.RaceEvent {
		q.Name = history.Presentation(name)
		e := &api.RaceEvent{Event: api.EventRace, Clients: t.Clients, Race: api.Race{
			ID: idText(t.ID), At: at, Server: server, Outcome: outcome.Of(&h.cfg.Values, q, t.Result, members, legs),
		}}
		if hasTTL {
			until := at.Add(time.Duration(ttl) * time.Second)
			e.TTL, e.Until = &ttl, &until
		}
		if t.KeptFor > 0 {
			until := at.Add(t.KeptFor)
			e.KeptUntil = &until
		}
		return e
	}, size
}

// publishKept has those who read events read that a reply was given that was kept.
func (h *Handler) publishKept(question []byte, kept *pool.Kept, age time.Duration) {
	f := control.Facts{
		Name: pool.NameOf(question), Type: qtypeOf(question), Verdict: kept.Verdict, Asked: api.AskedNone,
		Good: func() []string { return nil },
	}
	if len(kept.Givers) > 0 {
		f.Upstream = kept.Givers[0].String()
	}
	server, at := h.control.Name, time.Now()
	h.control.Memory.Events.PublishRace(&f, at, func() (func() *api.RaceEvent, int) {
		id, until := idText(pool.NextID()), kept.Ends().UTC()
		return func() *api.RaceEvent {
			q := dns.Question{Name: history.Presentation(f.Name), Qtype: f.Type, Qclass: dns.ClassINET}
			return &api.RaceEvent{Event: api.EventRace, Clients: 1, Cached: true, Race: api.Race{
				ID: id, At: at.UTC(), Server: server, KeptUntil: &until, Outcome: outcome.OfKept(q, kept, appendKept(nil, kept, age)),
			}}
		}, eventSize + kept.Len()
	})
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

// noteConflict counts, logs and publishes, once for each zone, that two upstreams give different
// answers.
func (h *Handler) noteConflict(zone string, a, b *pool.Member) {
	conflicts.Inc()
	h.differs.log(log.Infof, "Upstreams %s and %s give different answers in zone %s; the option prefer can choose", a, b, strings.ToLower(zone))
	if c := h.control; c != nil && c.Memory.Events.Awake() {
		c.Memory.Events.Publish(api.ZoneEvent{
			Event: api.Event{Event: api.EventZone, At: time.Now().UTC(), Server: c.Name},
			Zone:  zone, Change: "differ", Upstreams: []string{a.String(), b.String()},
		})
	}
}
