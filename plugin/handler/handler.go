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
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

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
	MaxConcurrent int64         // races at a time; 0 is no limit
	ForceTCP      bool          // ask over TCP only
	PreferUDP     bool          // ask over UDP even for a client on TCP
}

// Handler is the plugin.
type Handler struct {
	Next plugin.Handler

	cfg    Config
	set    atomic.Pointer[[]*upstream.Upstream]
	racing atomic.Int64
}

// New returns a handler. It opens nothing before its first query.
func New(cfg Config) *Handler {
	h := &Handler{cfg: cfg}
	set := make([]*upstream.Upstream, len(cfg.Upstreams))
	for i, addr := range cfg.Upstreams {
		set[i] = upstream.New(upstream.Config{
			Addr:     addr,
			Timeout:  cfg.Rules.Timeout,
			Patience: cfg.Patience,
			ForceTCP: cfg.ForceTCP,
		})
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
		defer h.racing.Add(-1)
		if h.racing.Add(1) > limit {
			maxConcurrentRejects.Inc()
			return dns.RcodeRefused, fmt.Errorf("more than %d queries under way; see max_concurrent", limit)
		}
	}
	stream := state.Proto() == "tcp"
	msg, err := outgoing(r, stream)
	if err != nil {
		return dns.RcodeFormatError, err
	}

	start := time.Now()
	set := *h.set.Load()
	query := &upstream.Query{Msg: msg, Stream: stream && !h.cfg.PreferUDP, Whole: stream}
	reply := new(incoming)
	res := h.cfg.Rules.Run(ctx, len(set),
		func(i int, leg *race.Leg) race.Exchange { return set[i].Ask(query, leg) },
		func(_ int, msg []byte) bool { return reply.unpack(msg) == nil },
	)
	server := metrics.WithServer(ctx)
	races.WithLabelValues(server, res.Verdict.String()).Inc()
	raceDuration.WithLabelValues(server).Observe(time.Since(start).Seconds())
	metadata.SetValueFunc(ctx, "dnsmus/verdict", res.Verdict.String)

	if res.Leg < 0 {
		w.WriteMsg(failure(r, extendedError(set, res.Errs)))
		// Written already, for the extended error; the errors plugin logs the rest.
		return dns.RcodeSuccess, errors.New("no upstream replied: " + story(set, res.Errs))
	}
	if res.Verdict.Negative() && !res.Conclusive() {
		inconclusive.WithLabelValues(server).Inc()
		reply.temper(r, uint32(h.cfg.NegativeTTL/time.Second), extendedError(set, res.Errs))
	}
	winner := set[res.Leg]
	wins.WithLabelValues(winner.String()).Inc()
	metadata.SetValueFunc(ctx, "dnsmus/upstream", winner.String)
	reply.write(w, r, stream)
	return dns.RcodeSuccess, nil
}

// raced reports whether r is a query that resolvers can be asked (R12).
func raced(r *dns.Msg) bool {
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 {
		return false
	}
	q := r.Question[0]
	return q.Qclass == dns.ClassINET && q.Qtype != dns.TypeAXFR && q.Qtype != dns.TypeIXFR
}
