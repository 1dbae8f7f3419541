// Package handler is dnsmus as CoreDNS sees it: a plugin.Handler that sends each
// query to all upstreams at once and writes the best reply. It is the only
// package below the setup that knows CoreDNS, and the place where package race,
// which holds the rules, and package upstream, which holds the sockets, meet.
package handler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/dnstap"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// Name is the plugin's name.
const Name = "dnsmus"

// Config is what a stanza says.
type Config struct {
	Upstreams []server.Server // in the order of preference
	option.Values
}

// Handler is the plugin.
type Handler struct {
	Next plugin.Handler

	cfg            Config
	taps           []*dnstap.Dnstap
	set            atomic.Pointer[[]*contender] // stored by replace alone
	servers        sync.Map                     // *serverMetrics by the server's name
	follow         follower
	startFollowing func() // only the first call does anything
	flights        flights
	clients        atomic.Int64 // that wait for a race
}

// New returns a handler, to be started.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg, startFollowing: func() {}}
	h.set.Store(new([]*contender))
	return h
}

// Start takes up the upstreams. It opens nothing: that is left to queries.
func (h *Handler) Start() { h.replace(h.cfg.Upstreams) }

// Name implements plugin.Handler.
func (h *Handler) Name() string { return Name }

// Ready implements ready.Readiness: there are upstreams to ask.
func (h *Handler) Ready() bool { return len(*h.set.Load()) > 0 }

// ServeDNS implements plugin.Handler.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if !raced(r) {
		if h.Next == nil {
			return dns.RcodeRefused, nil
		}
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if len(h.cfg.Except) > 0 && plugin.Zones(h.cfg.Except).Contains(dns.CanonicalName(r.Question[0].Name)) {
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if limit := h.cfg.MaxConcurrent; limit > 0 {
		defer h.clients.Add(-1)
		if h.clients.Add(1) > limit {
			maxConcurrentRejects.Inc()
			return dns.RcodeRefused, fmt.Errorf("more than %d queries under way; see max_concurrent", limit)
		}
	}
	query, err := h.query(w, r)
	if err != nil {
		return dns.RcodeFormatError, err
	}
	reply := new(incoming)
	out := h.race(ctx, w, r, query, reply)
	return h.finish(ctx, w, r, out, reply)
}

// query is what upstreams are asked for r.
func (h *Handler) query(w dns.ResponseWriter, r *dns.Msg) (*upstream.Query, error) {
	stream := overStream(w)
	msg, err := outgoing(r, false)
	query := &upstream.Query{Msg: msg, Stream: stream && !h.cfg.PreferUDP}
	switch {
	case stream, h.cfg.Rules.Policy.NeedType: // which may be what had no room
		query.Truncated = upstream.TruncatedNever
	case r.IsTsig() != nil:
		query.Truncated = upstream.TruncatedAlways
	}
	return query, err
}

// padded is the query for encrypted upstreams, if there are any in the set: its
// length tells less.
func padded(query *upstream.Query, r *dns.Msg, set []*contender) *upstream.Query {
	if !slices.ContainsFunc(set, (*contender).encrypted) {
		return query
	}
	msg, err := outgoing(r, true)
	if err != nil {
		return query
	}
	own := *query
	own.Msg = msg
	return &own
}

// overStream reports whether the client is on a transport without truncation.
func overStream(w dns.ResponseWriter) bool {
	state := request.Request{W: w}
	return state.Proto() == "tcp"
}

// finish answers r with what came of its race. The reply is empty if the race was
// another client's.
func (h *Handler) finish(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, out *outcome, reply *incoming) (int, error) {
	if reply.raw == nil && out.Leg >= 0 {
		if err := reply.unpack(out.Msg); err != nil {
			return dns.RcodeServerFailure, err
		}
	}
	metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
	if out.Leg < 0 {
		w.WriteMsg(failure(r, out))
		// Written already, for the extended error; the errors plugin logs the rest.
		return dns.RcodeSuccess, errors.New("no upstream replied: " + story(out.set, out.Errs))
	}
	if out.Inconclusive() {
		reply.temper(r, uint32(h.cfg.NegativeTTL/time.Second), out)
	}
	metadata.SetValueFunc(ctx, "dnsmus/upstream", out.set[out.Leg].String)
	reply.write(w, r, overStream(w))
	return dns.RcodeSuccess, nil
}

// outcome is the end of a race. It is shared by all that asked the same while it
// was on, and must not be changed.
type outcome struct {
	race.Result
	set []*contender
}

// race races the query, or waits for the race of an equal one that is under way
// (R11; RFC 5452, section 5). Equal queries are the same to the last byte but
// for the id. If the race is its own, the reply is unpacked into reply.
func (h *Handler) race(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, query *upstream.Query, reply *incoming) *outcome {
	key := string(query.Msg[2:])
	if query.Truncated == upstream.TruncatedNever {
		key += "whole"
	}
	f, first := h.flights.board(key, h.upstreams())
	if !first {
		f.landed.Wait()
		return &f.outcome
	}
	defer h.flights.land(key, f)
	start := time.Now()
	private := padded(query, r, f.set)
	of := func(c *contender) *upstream.Query {
		if c.encrypted() {
			return private
		}
		return query
	}
	ask := func(i int, leg *race.Leg) (race.Exchange, time.Time) { return f.set[i].Ask(of(f.set[i]), leg) }
	seen := h.witness(ctx, query, len(f.set))
	if seen != nil {
		ask = func(i int, leg *race.Leg) (race.Exchange, time.Time) { return seen.ask(i, f.set[i], of(f.set[i]), leg) }
	}
	rc := h.cfg.Rules.Start(len(f.set), ask)
	defer rc.End()
	// A client that goes away, as one of HTTPS or QUIC may, does not end what
	// others wait for too.
	staying := context.WithoutCancel(ctx)
	f.Result = rc.Wait(staying)
	for f.Leg >= 0 && reply.unpack(f.Msg) != nil {
		rc.Discard(f.Leg)
		f.Result = rc.Wait(staying)
	}
	h.count(ctx, &f.outcome, time.Since(start))
	if seen != nil {
		seen.testify(ctx, h.taps, request.Request{W: w, Req: r}, query)
	}
	return &f.outcome
}

// raced reports whether r is a query that resolvers can be asked (R12).
func raced(r *dns.Msg) bool {
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 {
		return false
	}
	q := r.Question[0]
	return q.Qclass == dns.ClassINET && q.Qtype != dns.TypeAXFR && q.Qtype != dns.TypeIXFR
}
