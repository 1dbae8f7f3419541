package race

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Judge returns the verdict on a well-formed reply. A truncated reply without answers gets
// here only if the whole one cannot be had (R8).
func Judge(reply []byte, p Policy) Verdict {
	if len(reply) < wire.HeaderSize {
		return None
	}
	h := wire.Header(reply)
	if h.Rcode() == dns.RcodeSuccess && h.Answers() > 0 {
		return p.judgeAnswers(reply)
	}
	rcode, soa, chain := h.Rcode(), false, false
	wire.Records(reply, func(r wire.Record) bool {
		switch {
		case r.Section == wire.Answer:
			chain = chain || r.Type == dns.TypeCNAME || r.Type == dns.TypeDNAME
		case r.Section == wire.Authority && r.Type == dns.TypeSOA:
			soa = true
		case r.Section == wire.Additional && r.Type == dns.TypeOPT:
			rcode |= int(r.TTL >> 24 << 4) // RFC 6891, section 6.1.3
		}
		return true
	})
	switch {
	case rcode == dns.RcodeSuccess && h.Truncated():
		return Truncated
	case rcode == dns.RcodeSuccess && soa:
		return NoDataSOA
	case rcode == dns.RcodeSuccess && !h.Authoritative() && !h.RecursionAvailable():
		return Referral
	case rcode == dns.RcodeSuccess:
		return NoData
	case rcode == dns.RcodeNameError && chain && p.bogus(reply) == None:
		return NXDomainChain
	case rcode == dns.RcodeNameError && soa:
		return NXDomainSOA
	case rcode == dns.RcodeNameError:
		return NXDomain
	case rcode == dns.RcodeServerFailure:
		return ServFail
	case rcode == dns.RcodeRefused:
		return Refused
	}
	return Error
}

func (p Policy) judgeAnswers(reply []byte) Verdict {
	if bogus := p.bogus(reply); bogus != None {
		return bogus
	}
	if wire.AnswersAtOnce(reply) {
		return Good
	}
	var buf [255]byte
	switch aliases := wire.FollowAliases(reply, buf[:0], nil); {
	case aliases.Answered:
		return Good
	case aliases.Followed > 0 && (!endsWithoutAddress(reply) || !wire.AuthorityHasSOA(reply)):
		return Alias
	case wire.Header(reply).Truncated():
		return Truncated
	case wire.AuthorityHasSOA(reply):
		return NoDataSOA
	}
	return NoData
}

// endsWithoutAddress reports whether a reply is for a type that most names with an address
// lack: what it says of the end of an alias is believed as it is of any name.
func endsWithoutAddress(reply []byte) bool {
	switch wire.QuestionType(wire.Question(reply)) {
	case dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB:
		return true
	}
	return false
}
