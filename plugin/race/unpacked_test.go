package race

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// FuzzJudge holds the judge against the DNS library: no message makes it panic,
// and of one that the library unpacks it thinks the same. Its seeds are in
// testdata/fuzz.
func FuzzJudge(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(dns.Msg)
		readable := m.Unpack(b) == nil && wire.Header(b).Answers() == len(m.Answer)
		if readable && len(m.Question) > 0 && wire.Question(b) == nil {
			readable = false // a compressed question, which no upstream is let through with
		}
		for _, p := range []Policy{{}, bogusPolicy, {Bogus: bogusPolicy.Bogus, NoPrivate: true}} {
			got := Judge(b, p)
			if !readable {
				continue
			}
			if want := judgeUnpacked(m, p); got != want {
				t.Errorf("policy %+v: %d %v, want %d %v\n%v", p, got, got, want, want, m)
			}
		}
	})
}

// judgeUnpacked is [Judge] as one would write it over the library's message.
func judgeUnpacked(m *dns.Msg, p Policy) Verdict {
	has := func(section []dns.RR, is func(dns.RR) bool) bool { return slices.ContainsFunc(section, is) }
	ofType := func(typ uint16) func(dns.RR) bool {
		return func(rr dns.RR) bool { return rr.Header().Rrtype == typ }
	}
	bad := None
	for _, rr := range m.Answer {
		for _, ip := range addressesIn(rr) {
			addr, _ := netip.AddrFromSlice(ip)
			switch addr = addr.Unmap(); {
			case slices.ContainsFunc(p.Bogus, func(prefix netip.Prefix) bool { return prefix.Contains(addr) }):
				bad = Bogus
			case p.NoPrivate && PrivateAddress(addr):
				bad = max(bad, Untrusted)
			}
		}
	}
	if p.NoPrivate && len(m.Question) > 0 {
		if labels := dns.SplitDomainName(m.Question[0].Name); len(labels) > 0 && (strings.EqualFold(labels[0], "wpad") || strings.EqualFold(labels[0], "isatap")) {
			bad = Untrusted
		}
	}
	// An answer is one whatever OPT adds to its rcode.
	if m.Rcode&0xf == dns.RcodeSuccess && len(m.Answer) > 0 {
		answers, alias := true, false
		if len(m.Question) > 0 {
			answers, alias = leads(m)
		}
		soa := has(m.Ns, ofType(dns.TypeSOA))
		if alias && soa {
			alias = !slices.Contains([]uint16{dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB}, m.Question[0].Qtype)
		}
		switch {
		case bad != None:
			return bad
		case answers:
			return Good
		case alias:
			return Alias
		case m.Truncated:
			return Truncated
		case soa:
			return NoDataSOA
		}
		return NoData
	}
	rcode := m.Rcode
	for _, rr := range m.Extra {
		if opt, ok := rr.(*dns.OPT); ok { // the library reads the last one only
			rcode |= opt.ExtendedRcode()
		}
	}
	if rcode == dns.RcodeSuccess && m.Truncated {
		return Truncated
	}
	if rcode == dns.RcodeSuccess && !has(m.Ns, ofType(dns.TypeSOA)) && !m.Authoritative && !m.RecursionAvailable {
		return Referral
	}
	if rcode == dns.RcodeNameError && (has(m.Answer, ofType(dns.TypeCNAME)) || has(m.Answer, ofType(dns.TypeDNAME))) && bad == None {
		return NXDomainChain
	}
	bySOA := map[bool]map[int]Verdict{
		true:  {dns.RcodeSuccess: NoDataSOA, dns.RcodeNameError: NXDomainSOA, dns.RcodeServerFailure: ServFail, dns.RcodeRefused: Refused},
		false: {dns.RcodeSuccess: NoData, dns.RcodeNameError: NXDomain, dns.RcodeServerFailure: ServFail, dns.RcodeRefused: Refused},
	}
	if v, ok := bySOA[has(m.Ns, ofType(dns.TypeSOA))][rcode]; ok {
		return v
	}
	return Error
}

// addressesIn are those of a record.
func addressesIn(rr dns.RR) (all []net.IP) {
	var svcb *dns.SVCB
	switch rr := rr.(type) {
	case *dns.A:
		return []net.IP{rr.A}
	case *dns.AAAA:
		return []net.IP{rr.AAAA}
	case *dns.SVCB:
		svcb = rr
	case *dns.HTTPS:
		svcb = &rr.SVCB
	default:
		return nil
	}
	for _, param := range svcb.Value {
		switch param := param.(type) {
		case *dns.SVCBIPv4Hint:
			all = append(all, param.Hint...)
		case *dns.SVCBIPv6Hint:
			all = append(all, param.Hint...)
		}
	}
	return all
}

// leads reports whether aliases lead from the question to a record that it asks for, and
// whether there are any.
func leads(m *dns.Msg) (answered, alias bool) {
	q := m.Question[0]
	name := dns.CanonicalName(q.Name)
	for range 40 {
		next, longest := "", false
		for _, rr := range m.Answer {
			owner, typed := dns.CanonicalName(rr.Header().Name), rr.Header().Rrtype == q.Qtype || q.Qtype == dns.TypeANY
			dname, is := rr.(*dns.DNAME)
			above := is && owner != name && dns.IsSubDomain(owner, name)
			switch cname, isCNAME := rr.(*dns.CNAME); {
			case typed && (owner == name || above):
				return true, alias
			case isCNAME && owner == name && cname.Target != "": // it may have no data at all
				next, longest = dns.CanonicalName(cname.Target), true
			case above && !longest && next == "" && dname.Target != "":
				stays := dns.SplitDomainName(name)
				to := strings.Join(stays[:len(stays)-dns.CountLabel(owner)], ".") + "."
				if target := dns.CanonicalName(dname.Target); target != "." {
					to += target
				}
				if n, err := dns.PackDomainName(to, make([]byte, 300), 0, nil, false); err == nil && n <= 255 {
					next = to
				}
			}
		}
		if next == "" {
			return false, alias
		}
		name, alias = next, true
	}
	return false, alias
}
