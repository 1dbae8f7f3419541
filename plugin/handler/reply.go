package handler

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/pool"
)

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

// edns leaves one OPT in the reply if the client uses EDNS, else none (RFC 6891, sections
// 6.1.1 and 7; R13). Without one an rcode above 15 cannot be written.
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

// synthesized is the reply to r where that of no upstream is given. It has no records, so
// it is not cached.
func synthesized(r *dns.Msg, rcode int, out *pool.Result) *dns.Msg {
	m := new(dns.Msg)
	m.SetRcode(r, rcode)
	m.RecursionAvailable = true
	addExtendedError(m, r, out)
	return m
}

// addExtendedError says in m, the reply to r, which upstreams gave no opinion (R7), if the
// client uses EDNS (RFC 8914, section 2).
func addExtendedError(m, r *dns.Msg, out *pool.Result) {
	opt := r.IsEdns0()
	if opt == nil || out.Conclusive() {
		return
	}
	code, text := out.ExtendedError()
	addOption(m, opt, &dns.EDNS0_EDE{InfoCode: code, ExtraText: text})
}

func addOption(m *dns.Msg, asked *dns.OPT, option dns.EDNS0) {
	if m.IsEdns0() == nil {
		m.SetEdns0(asked.UDPSize(), asked.Do())
	}
	to := m.IsEdns0()
	to.Option = append(to.Option, option)
}

// untrusted is the reply to r if the only answers are those of upstreams that may not give
// them: NODATA, for the name exists.
func untrusted(r *dns.Msg, out *pool.Result) *dns.Msg {
	m := synthesized(r, dns.RcodeSuccess, out)
	if opt := r.IsEdns0(); opt != nil {
		addOption(m, opt, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeBlocked, ExtraText: "answered only by upstreams that private_from leaves out"})
	}
	return m
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
