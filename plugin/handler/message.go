package handler

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxExtraText keeps an extended error from filling a small reply; the log has it
// all.
const maxExtraText = 200

// maxPadding is the block that queries are padded to (RFC 8467, section 4.1).
const maxPadding = 128

// outgoing packs the message that asks what r asks, for plain or for encrypted
// upstreams. Everything of r goes along as it is, known or not (RFC 5625, section
// 4), but for what belongs to one hop: the size, and some options. A signed
// message is left whole (RFC 5625, section 4.6).
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

// limitUDPSize limits the size of replies in a message that ends with an OPT without
// options.
func limitUDPSize(msg []byte) {
	const behind = 8 // the size, then TTL and the length of no data
	size := msg[len(msg)-behind:]
	binary.BigEndian.PutUint16(size, min(binary.BigEndian.Uint16(size), upstream.MaxUDPSize))
}

// hopOPT is the OPT for the way to an upstream.
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

// ofOneHop reports whether an option means nothing beyond those who exchange it:
// cookies (R13; RFC 7873), padding (RFC 7830, section 3) and the time that a
// connection is kept (RFC 7828, section 3).
func ofOneHop(o dns.EDNS0) bool {
	switch o.Option() {
	case dns.EDNS0COOKIE, dns.EDNS0PADDING, dns.EDNS0TCPKEEPALIVE:
		return true
	}
	return false
}

// incoming is the reply that a race chose.
type incoming struct {
	raw []byte
	msg *dns.Msg
}

// unpack reads raw.
func (in *incoming) unpack(raw []byte) error {
	in.raw, in.msg = raw, new(dns.Msg)
	return in.msg.Unpack(raw)
}

// write sends the reply to the client that asked r, with r's id and question.
func (in *incoming) write(w dns.ResponseWriter, r *dns.Msg, stream bool) {
	if in.msg.IsTsig() != nil {
		// Unpacking and packing again would break the signature.
		raw := bytes.Clone(in.raw)
		wire.Header(raw).SetID(r.Id)
		w.Write(raw)
		return
	}
	in.edns(r.IsEdns0() != nil)
	in.msg.Id = r.Id
	in.msg.Question = slices.Clone(r.Question) // in the client's case; an error may come without
	if stream {
		in.msg.Truncated = false // TC has no meaning over TCP
	}
	w.WriteMsg(in.msg)
}

// edns leaves one OPT in the reply if the client speaks EDNS, and none else (RFC 6891,
// sections 6.1.1 and 7; R13). Without one there is no room for a code above 15.
func (in *incoming) edns(wanted bool) {
	opt := in.msg.IsEdns0()
	if opt == nil {
		return
	}
	opt.Option = slices.DeleteFunc(opt.Option, ofOneHop)
	in.msg.Extra = slices.DeleteFunc(in.msg.Extra, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeOPT && (!wanted || rr != dns.RR(opt))
	})
	if !wanted && in.msg.Rcode > 0xf {
		in.msg.Rcode = dns.RcodeServerFailure
	}
}

// options counts the OPT records of a query.
func options(r *dns.Msg) (n int) {
	for _, rr := range r.Extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			n++
		}
	}
	return n
}

// inconclusive makes a denial soon forgotten to which some upstreams gave no opinion
// (R7). A client that speaks EDNS is told why.
func (in *incoming) inconclusive(r *dns.Msg, ttl time.Duration, out *pool.Outcome) {
	race.CapTTL(in.msg, ttl)
	addExtendedError(in.msg, r, out)
}

// synthesized is the reply to r when none of an upstream's is to be given. It has no
// records, so nobody caches it.
func synthesized(r *dns.Msg, rcode int, out *pool.Outcome) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, rcode)
	m.RecursionAvailable = true
	addExtendedError(m, r, out)
	return m
}

// addExtendedError adds an extended error to m, the reply to r, if the client speaks
// EDNS (RFC 8914, section 2).
func addExtendedError(m, r *dns.Msg, out *pool.Outcome) {
	opt := r.IsEdns0()
	if opt == nil || out.Conclusive() {
		return
	}
	addOption(m, opt, extendedError(out))
}

func addOption(m *dns.Msg, asked *dns.OPT, option dns.EDNS0) {
	if m.IsEdns0() == nil {
		m.SetEdns0(asked.UDPSize(), asked.Do())
	}
	to := m.IsEdns0()
	to.Option = append(to.Option, option)
}

// noneKnown is the reply to r while there are no upstreams.
func noneKnown(r *dns.Msg) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	if opt := r.IsEdns0(); opt != nil {
		addOption(m, opt, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNoReachableAuthority, ExtraText: "no upstream is known yet"})
	}
	return m
}

// notOfNetwork is what becomes of upstreams that can be reached, as far as is
// known.
var notOfNetwork = []error{race.ErrSilent, race.ErrDown, race.ErrUnresponsive, race.ErrUnreadable, race.ErrServFail, race.ErrRefused, race.ErrReferral, race.ErrTruncated, race.ErrUnable}

// extendedError says why upstreams gave no opinion. It is Network Error if that
// is what happened to each of those, else No Reachable Authority (RFC 8914,
// section 4).
func extendedError(out *pool.Outcome) *dns.EDNS0_EDE {
	text := reasons(out)
	if len(text) > maxExtraText {
		text = text[:maxExtraText] + "..."
	}
	ede := &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError, ExtraText: text}
	if out.Away { // whatever keeps it from answering (R18)
		ede.InfoCode = dns.ExtendedErrorCodeNoReachableAuthority
	}
	for _, err := range out.Errs {
		if slices.ContainsFunc(notOfNetwork, func(e error) bool { return errors.Is(err, e) }) {
			ede.InfoCode = dns.ExtendedErrorCodeNoReachableAuthority
		}
	}
	return ede
}

// reasons says which upstreams gave no opinion, and why. Their paths are not for clients
// to see: they may hold whose account it is.
func reasons(out *pool.Outcome) string {
	var parts []string
	for i, err := range out.Errs {
		if err != nil {
			server := out.Members[i].Server
			server.Path = ""
			parts = append(parts, fmt.Sprintf("%s: %v", server, err))
		}
	}
	return strings.Join(parts, "; ")
}
