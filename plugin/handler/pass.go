package handler

import (
	"context"
	"encoding/binary"
	"strings"

	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/plugin/pkg/transport"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// canPassThrough reports whether the reply to r need not be unpacked: w is CoreDNS's own
// writer, which only makes messages fit, and no other plugin has put one around it; the
// client is on UDP; and r has nothing but a question and, perhaps, EDNS without options.
func canPassThrough(w dns.ResponseWriter, r *dns.Msg, stream bool) bool {
	_, own := w.(*request.ScrubWriter)
	return own && !stream && hasOnlyOPT(r)
}

// passThrough returns a reply as the client that asked r gets it, or nil if it has to be
// unpacked for that. The bytes are those of the upstream but for the id, the case of the
// question and what EDNS says of this hop. The reply is well-formed, with its OPT where
// [wire.WellFormed] says.
func passThrough(reply []byte, opt int, r *dns.Msg, question []byte) []byte {
	edns := r.IsEdns0()
	if opt > 0 && (edns == nil || reply[opt+4] != 0) { // bits of an rcode above 15
		return nil
	}
	msg := append(make([]byte, 0, len(reply)+optSize), reply...)
	if edns != nil {
		ttl := edns.Hdr.Ttl
		if opt == 0 { // as CoreDNS's own writer adds one
			opt = len(msg) + 1
			msg = append(msg, 0, 0, byte(dns.TypeOPT), 0, 0, 0, 0, 0, 0, 0, 0)
			wire.Header(msg).SetAdditionals(wire.Header(msg).Additionals() + 1)
		} else {
			ttl = binary.BigEndian.Uint32(msg[opt+4:])
		}
		binary.BigEndian.PutUint16(msg[opt+2:], edns.UDPSize())
		ttl &= 0xff00 // without version and bits of the rcode
		if edns.Do() {
			ttl |= doBit
		}
		binary.BigEndian.PutUint32(msg[opt+4:], ttl)
	}
	if len(msg) > maxReply(r) || len(question) != len(wire.Question(msg)) {
		return nil
	}
	wire.Header(msg).SetID(r.Id)
	copy(msg[wire.HeaderSize:], question)
	return msg
}

const (
	optSize = 11      // of an OPT without options
	doBit   = 1 << 15 // of its TTL (RFC 3225, section 3)
)

// limitReply keeps the reply to r within [upstream.MaxUDPSize] over UDP, whatever size the
// client takes: a forged source is sent little more than the question, and fragments can be
// forged (RFC 9715, section 3.1). The whole reply is there over TCP. CoreDNS's writer, and ours,
// go by the size in r, and so do plugins in between; a signed query has to stay as it is. A
// client over QUIC could not ask again over TCP.
func limitReply(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) {
	opt := r.IsEdns0()
	if opt == nil || opt.UDPSize() <= upstream.MaxUDPSize || r.IsTsig() != nil {
		return
	}
	state := request.Request{W: w}
	if state.Proto() == "udp" && !strings.HasPrefix(metrics.WithServer(ctx), transport.QUIC) {
		opt.SetUDPSize(upstream.MaxUDPSize)
	}
}

// maxReply is how long a reply to r over UDP may be.
func maxReply(r *dns.Msg) int {
	if edns := r.IsEdns0(); edns != nil {
		return max(dns.MinMsgSize, int(edns.UDPSize()))
	}
	return dns.MinMsgSize
}
