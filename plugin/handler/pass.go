package handler

import (
	"encoding/binary"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// canPassThrough reports whether nobody needs the reply to r as a message: w is CoreDNS's own
// writer, which only makes messages fit, and no plugin above has put another around it; the
// client is on UDP; and r has nothing but, perhaps, EDNS without options.
func canPassThrough(w dns.ResponseWriter, r *dns.Msg, stream bool) bool {
	_, own := w.(*request.ScrubWriter)
	return own && !stream && hasOnlyOPT(r)
}

// passThrough returns the reply that the race chose as the client gets it, or nil if it has to be
// unpacked for that: it is not conclusive, long, truncated, or not well-formed beyond doubt.
// The bytes are those of the upstream but for the id, the case of the question and what
// EDNS says of this hop.
func (c *client) passThrough(out *pool.Outcome) []byte {
	if !c.canPassThrough || out.Leg < 0 || out.Proven || out.Verdict == race.Truncated || out.Inconclusive() || wire.Header(out.Msg).Truncated() {
		return nil
	}
	opt, whole := wire.WellFormed(out.Msg)
	edns := c.request.IsEdns0()
	if !whole || opt > 0 && (edns == nil || out.Msg[opt+4] != 0) { // part of an rcode that takes EDNS
		return nil
	}
	const optSize = 11
	msg := append(make([]byte, 0, len(out.Msg)+optSize), out.Msg...)
	if edns != nil {
		ttl := edns.Hdr.Ttl
		if opt == 0 { // as CoreDNS's own writer adds one
			opt = len(msg) + 1
			msg = append(msg, 0, 0, byte(dns.TypeOPT), 0, 0, 0, 0, 0, 0, 0, 0)
			binary.BigEndian.PutUint16(msg[10:], uint16(wire.Header(msg).Additionals()+1))
		} else {
			ttl = binary.BigEndian.Uint32(msg[opt+4:])
		}
		binary.BigEndian.PutUint16(msg[opt+2:], edns.UDPSize())
		ttl &= 0xff00 // no version, nor bits of the rcode
		if edns.Do() {
			ttl |= 1 << 15
		}
		binary.BigEndian.PutUint32(msg[opt+4:], ttl)
	}
	size := dns.MinMsgSize
	if edns != nil {
		size = max(size, int(edns.UDPSize()))
	}
	question := wire.Question(c.query.Msg)
	if len(msg) > min(size, upstream.MaxUDPSize) || len(question) != len(wire.Question(msg)) {
		return nil
	}
	wire.Header(msg).SetID(c.request.Id)
	copy(msg[wire.HeaderSize:], question)
	return msg
}
