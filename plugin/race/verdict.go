package race

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Verdict is how good a reply is; a greater one is better. Replies of equal verdict rank
// by the order of their upstreams.
type Verdict uint8

// The order is rule R3. NODATA is better than NXDOMAIN: it says that the name exists, and
// a host without an AAAA record must not be denied because another resolver does not know
// it. A referral says nothing about the name: stub resolvers, too, try another server
// after AA=0 and RA=0 without an answer. A chain that ends at a name which does not exist
// says that its own name does, so it is better than a plain NXDOMAIN.
const (
	None          Verdict = iota // no reply
	Untrusted                    // an answer that its upstream may not give, by the policy; it is never the reply (R22)
	Bogus                        // an answer with an address that is bogus by the policy
	Refused                      // REFUSED
	Error                        // NOTIMP, FORMERR or any other code
	ServFail                     // SERVFAIL
	Referral                     // NOERROR without answer and SOA, from a server that neither is authoritative nor offers recursion
	NXDomain                     // NXDOMAIN without SOA
	NXDomainSOA                  // NXDOMAIN with SOA
	NXDomainChain                // NXDOMAIN at the end of a CNAME or DNAME chain (RFC 6604, section 3)
	NoData                       // NOERROR without answer and SOA
	CNAMEOnly                    // NOERROR with answers, none of the type asked for, with Policy.NeedType
	NoDataSOA                    // NOERROR without answer, with SOA (RFC 2308, section 2.2)
	Truncated                    // NOERROR with TC=1, without answer, or with Policy.NeedType without one of the type asked for
	Good                         // NOERROR with an answer
)

// verdicts are the name of each in metrics, logs and JSON, and the words of it in a table
// for people; there TYPE stands for the type asked for, and RCODE for that of the reply.
var verdicts = [...]struct{ name, words string }{
	None:          {"none", "no reply"},
	Untrusted:     {"bogus", "not good: private address, and private_from leaves this upstream out"},
	Bogus:         {"bogus", "not good: bogus address"},
	Refused:       {"refused", "replied RCODE"},
	Error:         {"error", "replied RCODE"},
	ServFail:      {"servfail", "replied RCODE"},
	Referral:      {"referral", "refers to other servers"},
	NXDomain:      {"nxdomain", "no such name, without SOA"},
	NXDomainSOA:   {"nxdomain", "no such name"},
	NXDomainChain: {"nxdomain", "no such name at the end of its CNAME chain"},
	NoData:        {"nodata", "no TYPE record, without SOA"},
	CNAMEOnly:     {"cname", "not good: no TYPE record"},
	NoDataSOA:     {"nodata", "no TYPE record"},
	Truncated:     {"truncated", "truncated, and TCP failed"},
	Good:          {"good", "good answer"},
}

// String is the name in metrics, logs and JSON.
func (v Verdict) String() string { return verdicts[v].name }

// Words describe the reply for people.
func (v Verdict) Words(qtype, rcode string) string {
	return strings.NewReplacer("TYPE", qtype, "RCODE", rcode).Replace(verdicts[v].words)
}

// IsBogus reports whether the reply is an answer that the policy rules out.
func (v Verdict) IsBogus() bool { return v == Bogus || v == Untrusted }

// Negative reports whether the reply denies the name or the type asked for.
func (v Verdict) Negative() bool { return v > Referral && v < Truncated }

// Policy says what a good answer needs besides NOERROR and at least one record. Its zero
// value asks for nothing more.
type Policy struct {
	NeedType  bool           // one record must be of the type asked for, and of the name or what its CNAME chain leads to
	Bogus     []netip.Prefix // no record of an answer may hold one of these addresses
	NoPrivate bool           // nor a private one, for the upstream may give none
}

// ParsePrefix reads an address range for [Policy]'s Bogus, such as 192.0.2.0/24; a single
// address is a range of one.
func ParsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return addr.Unmap().Prefix(addr.Unmap().BitLen())
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil {
		return prefix, err
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 { // which Judge takes for IPv4
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), nil
}

// Judge returns the verdict on a well-formed reply. Unless the policy asks for more, the
// header alone shows a good one. A truncated reply without answers gets here only if the
// whole one cannot be had (R8).
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
	bogus := p.bogus(reply)
	switch {
	case bogus != None:
		return bogus
	case !p.NeedType || answersQuestion(reply):
		return Good
	case wire.Header(reply).Truncated():
		return Truncated
	}
	return CNAMEOnly
}

// maxChain is how far a CNAME chain is followed; resolvers do not go as far.
const maxChain = 32

// answersQuestion reports whether a record has the type asked for, and is of the name
// asked for or of the end of its CNAME chain (RFC 1034, section 4.3.2). The records may be
// in any order. Without a question any record counts.
func answersQuestion(reply []byte) (found bool) {
	question := wire.Question(reply)
	if question == nil {
		return true
	}
	var bufs [3][255]byte
	asked := wire.QuestionType(question)
	name := wire.AppendName(bufs[0][:0], question)
	for step := range maxChain {
		var next []byte
		wire.Records(reply, func(r wire.Record) bool {
			if r.Section != wire.Answer {
				return false
			}
			chain := r.Type == dns.TypeCNAME && next == nil
			typed := r.Type == asked || asked == dns.TypeANY
			if !chain && !typed {
				return true
			}
			owner := wire.AppendNameAt(bufs[2][:0], reply, r.Owner)
			if !bytes.Equal(owner, name) && (r.Type != dns.TypeDNAME || !wire.Below(name, owner)) {
				return true
			}
			if chain {
				next = wire.AppendNameAt(bufs[(step+1)%2][:0], reply, r.DataAt)
			}
			found = typed
			return !found
		})
		if found || next == nil {
			return found
		}
		name = next
	}
	return false
}
