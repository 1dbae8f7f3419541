package handler

import (
	"bytes"
	"slices"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// client is a client's query, as the pool asks it (a [pool.Query]), and the reply to it.
type client struct {
	request        *dns.Msg
	stream         bool // on a transport without truncation
	canPassThrough bool // its reply need not be unpacked
	trustsAD       bool // the AD bit of its reply is the upstream's (R13)
	query          upstream.Query
	reply          incoming // empty if the race was another client's, or while it need not be unpacked
	read           wellFormed
}

// wellFormed is what [wire.WellFormed] says of a reply, which is asked twice of most.
type wellFormed struct {
	reply []byte
	opt   int
	whole bool
}

// newClient prepares what upstreams are asked for the query r.
func newClient(w dns.ResponseWriter, r *dns.Msg, v *option.Values) (c *client, err error) {
	state := request.Request{W: w}
	c = &client{request: r, stream: state.Proto() == "tcp", trustsAD: v.TrustAD}
	c.canPassThrough = canPassThrough(w, r, c.stream)
	c.query.Stream = c.stream && !v.PreferUDP
	switch {
	case c.stream: // what is needed may have been cut off
		c.query.Truncated = upstream.TruncatedNever
	case r.IsTsig() != nil:
		c.query.Truncated = upstream.TruncatedAlways
	}
	if opt := r.IsEdns0(); opt != nil {
		c.query.UDPSize = opt.UDPSize()
	}
	c.query.Msg, err = outgoing(r, false)
	return c, err
}

// Plain implements pool.Query.
func (c *client) Plain() *upstream.Query { return &c.query }

// Encrypted implements pool.Query: the length of a padded query reveals less.
func (c *client) Encrypted() *upstream.Query {
	msg, err := outgoing(c.request, true)
	if err != nil {
		return &c.query
	}
	padded := c.query
	padded.Msg = msg
	return &padded
}

// Detached implements pool.Query: who serves the client may change its query afterwards.
func (c *client) Detached() pool.Query {
	detached := *c
	detached.request, detached.reply, detached.read = c.request.Copy(), incoming{}, wellFormed{}
	return &detached
}

// Named implements pool.Query. It may outlive the client's own.
func (c *client) Named(name string, qtype uint16) (pool.Query, error) {
	other := *c
	other.request, other.reply, other.read = c.request.Copy(), incoming{}, wellFormed{}
	other.request.Question[0].Name, other.request.Question[0].Qtype = name, qtype
	msg, err := outgoing(other.request, false)
	other.query.Msg = msg
	return &other, err
}

// Read implements pool.Query.
func (c *client) Read(reply []byte) error {
	if c.canPassThrough {
		if _, whole := c.wellFormed(reply); whole {
			return nil // it is unpacked later, if it has to be
		}
	}
	return c.reply.unpack(reply)
}

// wellFormed is [wire.WellFormed].
func (c *client) wellFormed(reply []byte) (opt int, whole bool) {
	if r := &c.read; len(reply) == 0 || len(r.reply) != len(reply) || &r.reply[0] != &reply[0] {
		r.opt, r.whole = wire.WellFormed(reply)
		r.reply = reply
	}
	return c.read.opt, c.read.whole
}

// passThrough returns the reply that the race chose as the client gets it, or nil if it has
// to be unpacked for that: it is not conclusive, long, truncated, or not well-formed beyond
// doubt. Nothing but its TTLs and the AD bit differs then.
func (c *client) passThrough(out *pool.Result) []byte {
	if !c.canPassThrough || out.Leg < 0 || out.Proven || out.Verdict == race.Truncated || out.Verdict == race.Broken || out.Inconclusive() || wire.Header(out.Msg).Truncated() {
		return nil
	}
	opt, whole := c.wellFormed(out.Msg)
	if !whole {
		return nil
	}
	msg := passThrough(out.Msg, opt, c.request, wire.Question(c.query.Msg))
	if msg != nil && !c.trustsAD {
		wire.Header(msg).ClearAD()
	}
	return msg
}

// cutOff is the reply to r over UDP where the whole one is too long, and must not be changed
// because it is signed.
func cutOff(r *dns.Msg) *dns.Msg {
	m := new(dns.Msg).SetReply(r)
	m.RecursionAvailable, m.Truncated = true, true
	return m
}

// write sends the client the reply, with the id and the question of its query.
func (c *client) write(w dns.ResponseWriter) {
	in, r := &c.reply, c.request
	signed := in.msg.IsTsig() != nil
	if (signed || r.IsTsig() != nil) && !c.stream && len(in.raw) > upstream.MaxUDPSize {
		w.WriteMsg(cutOff(r))
		return
	}
	if signed {
		// Unpacking and packing again would break the signature.
		raw := bytes.Clone(in.raw)
		wire.Header(raw).SetID(r.Id)
		if !c.trustsAD && r.IsTsig() == nil { // who has not signed cannot check it
			wire.Header(raw).ClearAD()
		}
		w.Write(raw)
		return
	}
	in.edns(r.IsEdns0() != nil)
	in.msg.Id = r.Id
	in.msg.Question = slices.Clone(r.Question) // in the client's case; an error may come without
	if c.stream {
		in.msg.Truncated = false // TC has no meaning over TCP
	}
	if !c.trustsAD {
		in.msg.AuthenticatedData = false
	}
	w.WriteMsg(in.msg)
}
