package handler

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxUDPSize is the reply size that upstreams are told to keep to over UDP: what
// passes the tunnels of VPNs in one piece (RFC 9715, section 3.1). It concerns
// this hop alone (RFC 6891, section 6.2.3), the client's own size stays.
const maxUDPSize = 1232

// maxExtraText keeps an extended error from filling a small reply; the log has it
// all.
const maxExtraText = 200

// outgoing packs the message that asks what r asks. Everything of r goes along
// as it is, known or not (RFC 5625, section 4), but for two things that belong
// to one hop: COOKIE options (R13; RFC 7873) and, for UDP, the size. A signed
// message is left whole (RFC 5625, section 4.6).
func outgoing(r *dns.Msg, stream bool) ([]byte, error) {
	m := *r
	if opt := r.IsEdns0(); opt != nil && r.IsTsig() == nil {
		m.Extra = make([]dns.RR, len(r.Extra))
		for i, rr := range r.Extra {
			if rr == opt {
				rr = ownOPT(opt, stream)
			}
			m.Extra[i] = rr
		}
	}
	m.Compress = false
	return m.Pack()
}

func ownOPT(opt *dns.OPT, stream bool) *dns.OPT {
	own := &dns.OPT{Hdr: opt.Hdr}
	if !stream {
		own.SetUDPSize(min(opt.UDPSize(), maxUDPSize))
	}
	for _, o := range opt.Option {
		if o.Option() != dns.EDNS0COOKIE {
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
func (in *incoming) temper(r *dns.Msg, ttl uint32, why *dns.EDNS0_EDE) {
	for _, section := range [][]dns.RR{in.msg.Answer, in.msg.Ns} {
		for _, rr := range section {
			rr.Header().Ttl = min(rr.Header().Ttl, ttl)
		}
	}
	tell(&in.msg, r, why)
}

// failure is the reply to r when no upstream replied.
func failure(r *dns.Msg, why *dns.EDNS0_EDE) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	tell(m, r, why)
	return m
}

// tell adds an extended error to m, the reply to r, if the client speaks EDNS
// (RFC 8914, section 2).
func tell(m, r *dns.Msg, why *dns.EDNS0_EDE) {
	opt := r.IsEdns0()
	if opt == nil {
		return
	}
	if m.IsEdns0() == nil {
		m.SetEdns0(opt.UDPSize(), opt.Do())
	}
	own := m.IsEdns0()
	own.Option = append(own.Option, why)
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
