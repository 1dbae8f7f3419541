package handler

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// countOPT counts the OPT records of a query.
func countOPT(r *dns.Msg) (n int) {
	for _, rr := range r.Extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			n++
		}
	}
	return n
}

// maxPadding is the block that queries are padded to (RFC 8467, section 4.1).
const maxPadding = 128

// outgoing packs the message that asks what r asks, for plain or for encrypted
// upstreams. All of r is passed on as it is, known or not (RFC 5625, section 4),
// except what belongs to one hop: the size of UDP replies, and some options. A signed
// message is not changed (RFC 5625, section 4.6).
func outgoing(r *dns.Msg, encrypted bool) ([]byte, error) {
	if !encrypted && !r.Compress && hasOnlyOPT(r) {
		msg, err := r.Pack()
		if err == nil && len(r.Extra) > 0 {
			limitUDPSize(msg)
		}
		return msg, err
	}
	m := *r
	m.Compress = false
	if opt := r.IsEdns0(); opt != nil && r.IsTsig() == nil {
		hop := hopOPT(opt)
		m.Extra = make([]dns.RR, len(r.Extra))
		for i, rr := range r.Extra {
			if rr == opt {
				rr = hop
			}
			m.Extra[i] = rr
		}
		if encrypted {
			hop.SetUDPSize(dns.MaxMsgSize) // some servers keep to it over QUIC too
			const empty = 4                // an option without data
			n := (maxPadding - (m.Len()+empty)%maxPadding) % maxPadding
			hop.Option = append(hop.Option, &dns.EDNS0_PADDING{Padding: make([]byte, n)})
		}
	}
	return m.Pack()
}

// hasOnlyOPT reports whether r has nothing after its question but, perhaps, EDNS without
// options and without bits of an rcode, which packing would change.
func hasOnlyOPT(r *dns.Msg) bool {
	if len(r.Answer)+len(r.Ns) > 0 || len(r.Extra) > 1 {
		return false
	}
	if len(r.Extra) == 0 {
		return true
	}
	opt, ok := r.Extra[0].(*dns.OPT)
	return ok && len(opt.Option) == 0 && opt.ExtendedRcode() == 0
}

// limitUDPSize limits the size of UDP replies in a message that ends with an OPT without
// options.
func limitUDPSize(msg []byte) {
	const tail = 8 // bytes: the size, the TTL, and the length of the data, which is 0
	size := msg[len(msg)-tail:]
	binary.BigEndian.PutUint16(size, min(binary.BigEndian.Uint16(size), upstream.MaxUDPSize))
}

// hopOPT is the OPT of a client's query as upstreams get it.
func hopOPT(opt *dns.OPT) *dns.OPT {
	hop := &dns.OPT{Hdr: opt.Hdr}
	hop.SetUDPSize(min(opt.UDPSize(), upstream.MaxUDPSize))
	for _, o := range opt.Option {
		if !ofOneHop(o) {
			hop.Option = append(hop.Option, o)
		}
	}
	return hop
}

// ofOneHop reports whether an option concerns only the two that exchange the message (R13):
// cookies (RFC 7873), padding (RFC 7830, section 3) and the idle time of a connection
// (RFC 7828, section 3).
func ofOneHop(o dns.EDNS0) bool {
	switch o.Option() {
	case dns.EDNS0COOKIE, dns.EDNS0PADDING, dns.EDNS0TCPKEEPALIVE:
		return true
	}
	return false
}
