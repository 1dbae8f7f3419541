// Package handler is dnsmus as CoreDNS sees it: a plugin.Handler that sends each
// query to all upstreams at once and writes the best reply. It is the only
// package below the setup that knows CoreDNS, and the place where package race,
// which holds the rules, and package upstream, which holds the sockets, meet.
package handler

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Name is the plugin's name.
const Name = "dnsmus"

// Config is what a stanza says.
type Config struct {
	Upstreams     []netip.AddrPort // in the order of preference
	Except        plugin.Zones     // names that go to the next plugin
	Rules         race.Rules
	Patience      time.Duration // an upstream silent for so long is down
	NegativeTTL   time.Duration // a denial that not all upstreams had a word in lives so long at most
	MaxConcurrent int64         // queries under way at a time; 0 is no limit
	ForceTCP      bool          // ask over TCP only
	PreferUDP     bool          // ask over UDP even for a client on TCP
}

// Handler is the plugin.
type Handler struct {
	Next plugin.Handler

	cfg     Config
	set     atomic.Pointer[[]*contender]
	servers sync.Map           // *serverMetrics by the server's name
	flights singleflight.Group // races under way, by what is asked
	clients atomic.Int64       // that wait for a race
}

// contender is an upstream that takes part in races.
type contender struct {
	*upstream.Upstream
	wins prometheus.Counter
}

// New returns a handler. It opens nothing before its first query.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg}
	set := make([]*contender, len(cfg.Upstreams))
	for i, addr := range cfg.Upstreams {
		u := upstream.New(upstream.Config{
			Addr:     addr,
			Timeout:  cfg.Rules.Timeout,
			Patience: cfg.Patience,
			ForceTCP: cfg.ForceTCP,
		})
		set[i] = &contender{Upstream: u, wins: wins.WithLabelValues(u.String())}
	}
	h.set.Store(&set)
	return h
}

// Name implements plugin.Handler.
func (h *Handler) Name() string { return Name }

// Ready implements ready.Readiness: there are upstreams to ask.
func (h *Handler) Ready() bool { return len(*h.set.Load()) > 0 }

// Stop lets go of all sockets. Queries under way get their answers, and so do
// those that still come. It may be called more than once.
func (h *Handler) Stop() error {
	for _, u := range *h.set.Load() {
		u.Close()
	}
	return nil
}

// ServeDNS implements plugin.Handler.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	state := request.Request{W: w, Req: r}
	if !raced(r) {
		if h.Next == nil {
			return dns.RcodeRefused, nil
		}
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if h.cfg.Except.Contains(state.Name()) {
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if limit := h.cfg.MaxConcurrent; limit > 0 {
		defer h.clients.Add(-1)
		if h.clients.Add(1) > limit {
			maxConcurrentRejects.Inc()
			return dns.RcodeRefused, fmt.Errorf("more than %d queries under way; see max_concurrent", limit)
		}
	}
	stream := state.Proto() == "tcp"
	msg, err := outgoing(r, stream)
	if err != nil {
		return dns.RcodeFormatError, err
	}

	query := &upstream.Query{Msg: msg, Stream: stream && !h.cfg.PreferUDP}
	switch {
	case stream:
		query.Truncated = upstream.TruncatedNever
	case r.IsTsig() != nil:
		query.Truncated = upstream.TruncatedAlways
	}
	reply := new(incoming)
	out := h.race(ctx, query, reply)
	if reply.raw == nil && out.Leg >= 0 { // another client's race
		if err := reply.unpack(out.raw); err != nil {
			return dns.RcodeServerFailure, err
		}
	}
	metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
	if out.Leg < 0 {
		w.WriteMsg(failure(r, extendedError(out.set, out.Errs)))
		// Written already, for the extended error; the errors plugin logs the rest.
		return dns.RcodeSuccess, errors.New("no upstream replied: " + story(out.set, out.Errs))
	}
	if out.Inconclusive() {
		reply.temper(r, uint32(h.cfg.NegativeTTL/time.Second), extendedError(out.set, out.Errs))
	}
	metadata.SetValueFunc(ctx, "dnsmus/upstream", out.set[out.Leg].String)
	reply.write(w, r, stream)
	return dns.RcodeSuccess, nil
}

// outcome is the end of a race. It is shared by all that asked the same while it
// was on, and must not be changed.
type outcome struct {
	race.Result
	set []*contender
	raw []byte // the reply
}

// race races the query, or joins a race of an equal one that is under way (R11;
// RFC 5452, section 5). Equal queries are the same to the last byte but for the
// id. If the race is its own, the reply is unpacked into reply.
func (h *Handler) race(ctx context.Context, query *upstream.Query, reply *incoming) outcome {
	key := string(query.Msg[2:])
	if query.Truncated == upstream.TruncatedNever {
		key += "whole"
	}
	v, _, _ := h.flights.Do(key, func() (any, error) {
		start := time.Now()
		out := outcome{set: *h.set.Load()}
		out.Result = h.cfg.Rules.Run(ctx, len(out.set),
			func(i int, leg *race.Leg) (race.Exchange, time.Time) { return out.set[i].Ask(query, leg) },
			func(_ int, msg []byte) bool { return reply.unpack(msg) == nil },
		)
		m := h.metricsOf(ctx)
		m.races[out.Verdict].Inc()
		m.duration.Observe(time.Since(start).Seconds())
		if out.Leg < 0 {
			*reply = incoming{}
			return out, nil
		}
		out.raw = reply.raw
		out.set[out.Leg].wins.Inc()
		if out.Inconclusive() {
			m.inconclusive.Inc()
		}
		return out, nil
	})
	return v.(outcome)
}

// raced reports whether r is a query that resolvers can be asked (R12).
func raced(r *dns.Msg) bool {
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 {
		return false
	}
	q := r.Question[0]
	return q.Qclass == dns.ClassINET && q.Qtype != dns.TypeAXFR && q.Qtype != dns.TypeIXFR
}
