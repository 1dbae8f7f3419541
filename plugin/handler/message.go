package handler

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxExtraText keeps an extended error from filling a small reply; the log has it
// all.
const maxExtraText = 200

// maxPadding is the block that queries are padded to (RFC 8467, section 4.1).
const maxPadding = 128

// hop is what lies between here and an upstream.
type hop uint8

const (
	hopUDP hop = iota
	hopTCP
	hopEncrypted
)

// outgoing packs the message that asks what r asks. Everything of r goes along
// as it is, known or not (RFC 5625, section 4), but for what belongs to one hop:
// COOKIE options (R13; RFC 7873), padding (RFC 7830, section 3), and for UDP the
// size. A signed message is left whole (RFC 5625, section 4.6).
func outgoing(r *dns.Msg, over hop) ([]byte, error) {
	m := *r
	m.Compress = false
	if opt := r.IsEdns0(); opt != nil && r.IsTsig() == nil {
		own := ownOPT(opt, over)
		m.Extra = make([]dns.RR, len(r.Extra))
		for i, rr := range r.Extra {
			if rr == opt {
				rr = own
			}
			m.Extra[i] = rr
		}
		if over == hopEncrypted {
			const empty = 4 // an option without data
			n := (maxPadding - (m.Len()+empty)%maxPadding) % maxPadding
			own.Option = append(own.Option, &dns.EDNS0_PADDING{Padding: make([]byte, n)})
		}
	}
	return m.Pack()
}

func ownOPT(opt *dns.OPT, over hop) *dns.OPT {
	own := &dns.OPT{Hdr: opt.Hdr}
	switch over {
	case hopUDP:
		own.SetUDPSize(min(opt.UDPSize(), upstream.MaxUDPSize))
	case hopEncrypted: // some servers keep to it over QUIC too
		own.SetUDPSize(dns.MaxMsgSize)
	}
	for _, o := range opt.Option {
		if o.Option() != dns.EDNS0COOKIE && o.Option() != dns.EDNS0PADDING {
			own.Option = append(own.Option, o)
		}
	}
	return own
}

// incoming is the reply that a race chose.
type incoming struct {
	raw []byte
	msg dns.Msg
}

// unpack reads raw.
func (in *incoming) unpack(raw []byte) error {
	in.raw, in.msg = raw, dns.Msg{}
	return in.msg.Unpack(raw)
}

// write sends the reply to the client that asked r, with r's id and question.
func (in *incoming) write(w dns.ResponseWriter, r *dns.Msg, stream bool) {
	if in.msg.IsTsig() != nil {
		// Unpacking and packing again would break the signature.
		own := bytes.Clone(in.raw)
		wire.Header(own).SetID(r.Id)
		w.Write(own)
		return
	}
	if opt := in.msg.IsEdns0(); opt != nil {
		opt.Option = slices.DeleteFunc(opt.Option, func(o dns.EDNS0) bool { return o.Option() == dns.EDNS0PADDING })
	}
	in.msg.Id = r.Id
	in.msg.Question = slices.Clone(r.Question) // in the client's case; an error may come without
	if stream {
		in.msg.Truncated = false // TC has no meaning over TCP
	}
	w.WriteMsg(&in.msg)
}

// temper makes a denial soon forgotten to which some upstreams gave no opinion
// (R7): caches keep it for as long as its SOA lives (RFC 2308, section 5), which
// is then at most ttl seconds. A client that speaks EDNS is told why.
func (in *incoming) temper(r *dns.Msg, ttl uint32, out *outcome) {
	for _, section := range [][]dns.RR{in.msg.Answer, in.msg.Ns} {
		for _, rr := range section {
			rr.Header().Ttl = min(rr.Header().Ttl, ttl)
		}
	}
	tell(&in.msg, r, out)
}

// failure is the reply to r when no upstream replied.
func failure(r *dns.Msg, out *outcome) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	tell(m, r, out)
	return m
}

// tell adds an extended error to m, the reply to r, if the client speaks EDNS
// (RFC 8914, section 2).
func tell(m, r *dns.Msg, out *outcome) {
	opt := r.IsEdns0()
	if opt == nil {
		return
	}
	if m.IsEdns0() == nil {
		m.SetEdns0(opt.UDPSize(), opt.Do())
	}
	own := m.IsEdns0()
	own.Option = append(own.Option, extendedError(out.set, out.Errs))
}

// extendedError says why upstreams gave no opinion. It is Network Error if that
// is what happened to each of those, else No Reachable Authority (RFC 8914,
// section 4).
func extendedError(set []*contender, errs []error) *dns.EDNS0_EDE {
	text := story(set, errs)
	if len(text) > maxExtraText {
		text = text[:maxExtraText] + "..."
	}
	ede := &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError, ExtraText: text}
	for _, err := range errs {
		if errors.Is(err, race.ErrSilent) || errors.Is(err, race.ErrDown) || errors.Is(err, race.ErrUnreadable) || errors.Is(err, race.ErrServFail) {
			ede.InfoCode = dns.ExtendedErrorCodeNoReachableAuthority
		}
	}
	return ede
}

// story tells which upstreams gave no opinion, and why.
func story(set []*contender, errs []error) string {
	var parts []string
	for i, err := range errs {
		if err != nil {
			parts = append(parts, fmt.Sprintf("%s: %v", set[i], err))
		}
	}
	return strings.Join(parts, "; ")
}
