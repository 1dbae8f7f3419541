// Package handler is dnsmus as CoreDNS sees it: a plugin.Handler that sends each
// query to all upstreams at once and writes the best reply. It is the only
// package below the setup that knows CoreDNS; package pool has the upstreams and
// asks them.
package handler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/dnstap"
	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
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
	pool           *pool.Pool
	taps           []*dnstap.Dnstap
	servers        sync.Map // *serverMetrics by the server's name
	lastServer     atomic.Pointer[serverMetrics]
	follow         follower
	startFollowing func()       // only the first call does anything
	haveSome       func()       // likewise
	clients        atomic.Int64 // that wait for a race
}

// New returns a handler, to be started.
func New(cfg Config) *Handler {
	return &Handler{cfg: cfg, startFollowing: func() {}, haveSome: func() {}, pool: pool.New(poolConfig(cfg.Values))}
}

func poolConfig(v option.Values) pool.Config {
	return pool.Config{Values: v, Observe: observe, Differ: noteConflict, Late: func(err error) { log.Warning(err) }}
}

// Start takes up the upstreams. It opens nothing: that is left to queries.
func (h *Handler) Start() {
	ports.OnShort(func() {
		log.Warning("Server blocks share ports to upstreams, because file descriptors are too few for ports of their own; raise the limit (ulimit -n, LimitNOFILE)")
	})
	h.replace(h.cfg.Upstreams)
}

// Name implements plugin.Handler.
func (h *Handler) Name() string { return Name }

// Ready implements ready.Readiness: there are upstreams to ask. Where there are none yet
// it is what begins to look for some, since queries may wait for it.
func (h *Handler) Ready() bool {
	if len(h.pool.Members()) == 0 {
		h.startFollowing()
	}
	return len(h.pool.Members()) > 0
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
		return plugin.NextOrFailure(Name, h.Next, ctx, w, r)
	}
	if options(r) > 1 { // RFC 6891, section 6.1.1
		return dns.RcodeFormatError, nil
	}
	if limit := h.cfg.MaxConcurrent; limit > 0 {
		defer h.clients.Add(-1)
		if h.clients.Add(1) > limit {
			maxConcurrentRejects.Inc()
			return dns.RcodeRefused, fmt.Errorf("more than %d queries in flight; see max_concurrent", limit)
		}
	}
	c := &client{request: r, stream: overStream(w)}
	c.canPassThrough = canPassThrough(w, r, c.stream)
	if err := h.prepare(c); err != nil {
		return dns.RcodeFormatError, err
	}
	if m, verdict := h.special(c); m != nil {
		metadata.SetValueFunc(ctx, "dnsmus/verdict", verdict.String)
		w.WriteMsg(m)
		return dns.RcodeSuccess, nil
	}
	h.startFollowing()
	if !h.awaitSome(ctx) {
		w.WriteMsg(noneKnown(r))
		return dns.RcodeSuccess, errNoneKnown
	}
	out, first := h.pool.Ask(ctx, c, h.look(ctx, w, r))
	if first {
		h.count(ctx, out)
	}
	return h.finish(ctx, w, c, out)
}

// client is a query of a client's, which is a [pool.Query].
type client struct {
	request        *dns.Msg
	stream         bool // on a transport without truncation
	canPassThrough bool
	query          upstream.Query
	reply          incoming // empty if the race was another client's, or nobody needs it
}

// prepare makes what upstreams are asked.
func (h *Handler) prepare(c *client) (err error) {
	c.query.Stream = c.stream && !h.cfg.PreferUDP
	switch {
	case c.stream, h.cfg.Rules.Policy.NeedType: // which may be what had no room
		c.query.Truncated = upstream.TruncatedNever
	case c.request.IsTsig() != nil:
		c.query.Truncated = upstream.TruncatedAlways
	}
	if opt := c.request.IsEdns0(); opt != nil {
		c.query.UDPSize = opt.UDPSize()
	}
	c.query.Msg, err = outgoing(c.request, false)
	return err
}

// Plain implements pool.Query.
func (c *client) Plain() *upstream.Query { return &c.query }

// Encrypted implements pool.Query: the length of a padded query tells less.
func (c *client) Encrypted() *upstream.Query {
	msg, err := outgoing(c.request, true)
	if err != nil {
		return &c.query
	}
	padded := c.query
	padded.Msg = msg
	return &padded
}

// Read implements pool.Query.
func (c *client) Read(reply []byte) error {
	if c.canPassThrough {
		if _, whole := wire.WellFormed(reply); whole {
			return nil // and unpacked if there is need to
		}
	}
	return c.reply.unpack(reply)
}

// overStream reports whether the client is on a transport without truncation.
func overStream(w dns.ResponseWriter) bool {
	state := request.Request{W: w}
	return state.Proto() == "tcp"
}

// finish answers the client with what came of its race.
func (h *Handler) finish(ctx context.Context, w dns.ResponseWriter, c *client, out *pool.Outcome) (int, error) {
	if msg := c.passThrough(out); msg != nil {
		if metadata.ValueFuncs(ctx) != nil {
			metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
			metadata.SetValueFunc(ctx, "dnsmus/upstream", out.Members[out.Leg].String)
		}
		w.Write(msg)
		return dns.RcodeSuccess, nil
	}
	if c.reply.raw == nil && out.Leg >= 0 {
		if err := c.reply.unpack(out.Msg); err != nil {
			return dns.RcodeServerFailure, err
		}
	}
	metadata.SetValueFunc(ctx, "dnsmus/verdict", out.Verdict.String)
	if out.Proven {
		w.WriteMsg(synthesized(c.request, dns.RcodeSuccess, out))
		return dns.RcodeSuccess, nil
	}
	if out.Leg < 0 {
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		if out.Away {
			return dns.RcodeSuccess, errAway(out)
		}
		// Written already, for the extended error; the errors plugin logs the rest.
		return dns.RcodeSuccess, errors.New("no upstream replied: " + reasons(out))
	}
	if out.Verdict == race.Truncated && c.stream {
		// Such a client cannot ask for more than it did.
		w.WriteMsg(synthesized(c.request, dns.RcodeServerFailure, out))
		return dns.RcodeSuccess, errors.New("no whole reply: " + reasons(out))
	}
	if out.Inconclusive() {
		c.reply.inconclusive(c.request, h.cfg.NegativeTTL, out)
	}
	metadata.SetValueFunc(ctx, "dnsmus/upstream", out.Members[out.Leg].String)
	c.reply.write(w, c.request, c.stream)
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
