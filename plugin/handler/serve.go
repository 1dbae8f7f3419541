package handler

import (
	"context"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// haveUpstreams reports whether there are upstreams, which it may wait for. It begins to
// follow the sources.
func (h *Handler) haveUpstreams(ctx context.Context) bool {
	if h.follow == nil {
		return len(h.pool.Members()) > 0
	}
	h.follow.begin()
	return h.follow.await(ctx)
}

// ServeDNS implements plugin.Handler.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if !raced(r) {
		if h.Next == nil {
			return dns.RcodeRefused, nil
		}
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if len(h.cfg.Except) > 0 && plugin.Zones(h.cfg.Except).Contains(dns.CanonicalName(r.Question[0].Name)) {
		if h.Next == nil { // which was said at the start
			return dns.RcodeServerFailure, nil
		}
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if countOPT(r) > 1 { // RFC 6891, section 6.1.1
		return dns.RcodeFormatError, nil
	}
	limitReply(ctx, w, r)
	if h.cfg.Cache > 0 && h.answerKept(ctx, w, r) {
		return dns.RcodeSuccess, nil
	}
	if limit := h.cfg.MaxConcurrent; limit > 0 {
		defer h.clients.Add(-1)
		if h.refuses.one(h.clients.Add(1), limit) {
			h.noteRefused(r)
			return dns.RcodeRefused, nil
		}
	}
	c, err := newClient(w, r, &h.cfg.Values)
	if err != nil {
		return dns.RcodeFormatError, nil
	}
	if m := h.control.reached(r); m != nil {
		w.WriteMsg(m)
		return dns.RcodeSuccess, nil
	}
	if m, verdict := special(h.pool, wire.Question(c.query.Msg), r); m != nil {
		metadata.SetValueFunc(ctx, "dnsmus/verdict", verdict.String)
		h.note(wire.Question(c.query.Msg), verdict, m.Rcode, api.ChangedSpecial, int64(m.Ns[0].Header().Ttl))
		w.WriteMsg(m)
		return dns.RcodeSuccess, nil
	}
	if !h.haveUpstreams(ctx) {
		h.note(wire.Question(c.query.Msg), race.None, dns.RcodeServerFailure, api.ChangedNone, -1)
		w.WriteMsg(noneKnown(r))
		failed(r, "no upstream is known yet")
		return dns.RcodeSuccess, nil
	}
	out, first := h.pool.Ask(c, inspector(ctx, w, r, h.taps, h.cfg.ForceTCP))
	if first {
		h.count(ctx, out)
	}
	return h.finish(ctx, w, c, out)
}

// count counts a race that is over.
func (h *Handler) count(ctx context.Context, out *pool.Result) {
	m := h.metrics.of(ctx)
	m.count(out)
	if h.cfg.Learns() {
		m.countLearned(out)
	}
}

// finish answers the client with the outcome of its race. A failure is no error for the errors
// plugin, which would log each with its name: what changes at an upstream is logged, once.
func (h *Handler) finish(ctx context.Context, w dns.ResponseWriter, c *client, out *pool.Result) (int, error) {
	if out.Stale != nil {
		h.metrics.of(ctx).stale.Inc()
		return dns.RcodeSuccess, h.writeKept(ctx, w, c.request, wire.Question(c.query.Msg), out.Stale, staleAge)
	}
	ttl := out.MaxTTL(h.cfg.NegativeTTL)
	if msg := c.passThrough(out); msg != nil {
		ttl.CutBytes(msg)
		if metadata.ValueFuncs(ctx) != nil {
			metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
			metadata.SetValueFunc(ctx, "dnsmus/upstream", func() string { return pool.Names(out.Givers()) })
		}
		w.Write(msg)
		return dns.RcodeSuccess, nil
	}
	if c.reply.raw == nil && out.Leg >= 0 && out.Verdict != race.Broken {
		if err := c.reply.unpack(out.Msg); err != nil {
			failed(c.request, err.Error())
			return dns.RcodeServerFailure, nil
		}
	}
	metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
	switch {
	case out.Proven:
		w.WriteMsg(synthesized(c.request, dns.RcodeSuccess, out))
		return dns.RcodeSuccess, nil
	case out.Away:
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		failed(c.request, "the only upstream that knows the zone is away", out)
		return dns.RcodeSuccess, nil
	case out.Forged:
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		failed(c.request, "a denial that may be wrong", out)
		return dns.RcodeSuccess, nil
	case out.Verdict == race.Untrusted:
		w.WriteMsg(untrusted(c.request, out))
		return dns.RcodeSuccess, nil
	case out.Verdict == race.Broken:
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		failed(c.request, "an alias without an end", out)
		return dns.RcodeSuccess, nil
	case out.Leg < 0:
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		failed(c.request, "no upstream replied", out)
		return dns.RcodeSuccess, nil
	case out.Verdict == race.Truncated && c.stream: // such a client cannot ask for more than it did
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		failed(c.request, "truncated replies, and TCP failed", out)
		return dns.RcodeSuccess, nil
	case out.Inconclusive():
		addExtendedError(c.reply.msg, c.request, out)
	}
	ttl.Cut(c.reply.msg)
	metadata.SetValueFunc(ctx, "dnsmus/upstream", func() string { return pool.Names(out.Givers()) })
	c.write(w)
	return dns.RcodeSuccess, nil
}

// raced reports whether r is a query that is raced (R12).
func raced(r *dns.Msg) bool {
	if r.Opcode != dns.OpcodeQuery || len(r.Question) != 1 {
		return false
	}
	q := r.Question[0]
	return q.Qclass == dns.ClassINET && q.Qtype != dns.TypeAXFR && q.Qtype != dns.TypeIXFR
}
