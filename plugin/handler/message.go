package handler

import (
	"errors"
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// maxUDPSize is the reply size that upstreams are told to keep to over UDP: what
// passes the tunnels of VPNs in one piece (RFC 9715, section 3.1). It concerns
// this hop alone (RFC 6891, section 6.2.3), the client's own size stays.
const maxUDPSize = 1232

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

// unpack reads raw. It fails if answers that the header counts are not there.
func (in *incoming) unpack(raw []byte) error {
	in.raw, in.msg = raw, dns.Msg{}
	if err := in.msg.Unpack(raw); err != nil {
		return err
	}
	if len(in.msg.Answer) != wire.Header(raw).Answers() {
		return errors.New("answers are missing")
	}
	return nil
}

// write sends the reply to the client that asked r, with r's id and question.
func (in *incoming) write(w dns.ResponseWriter, r *dns.Msg, stream bool) {
	if in.msg.IsTsig() != nil {
		// Unpacking and packing again would break the signature.
		wire.Header(in.raw).SetID(r.Id)
		w.Write(in.raw)
		return
	}
	in.msg.Id = r.Id
	in.msg.Question = slices.Clone(r.Question) // in the client's case; an error may come without
	if stream {
		in.msg.Truncated = false // TC has no meaning over TCP
	}
	w.WriteMsg(&in.msg)
}

// failure is the reply to r when no upstream replied. A client that speaks EDNS
// is told why (RFC 8914, section 4).
func failure(r *dns.Msg, errs []error) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, dns.RcodeServerFailure)
	m.RecursionAvailable = true
	if opt := r.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), opt.Do())
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: cause(errs)}}
	}
	return m
}

// cause is the extended error of a race without a reply: Network Error if that
// is what happened to every leg, else No Reachable Authority.
func cause(errs []error) uint16 {
	for _, err := range errs {
		if errors.Is(err, race.ErrSilent) || errors.Is(err, race.ErrDown) || errors.Is(err, race.ErrUnreadable) {
			return dns.ExtendedErrorCodeNoReachableAuthority
		}
	}
	return dns.ExtendedErrorCodeNetworkError
}
