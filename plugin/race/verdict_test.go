package race

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

func TestJudgeAnswer(t *testing.T) {
	for _, tc := range []struct {
		what   string
		qtype  uint16
		answer rrs
		policy Policy
		want   Verdict
	}{
		{"unknown type", 65280, rrs{rrUnknown}, Policy{}, Good},
		{"address that is bogus to others", dns.TypeA, rrs{rrCNAME, rrBadA}, Policy{}, Good},
		{"address that is none", dns.TypeA, rrs{rrAAAA, rrTXT}, Policy{}, NoData},
		{"address for another type", dns.TypeMX, rrs{rrHostA}, Policy{}, NoData},
		{"IPv4 address for the other family", dns.TypeAAAA, rrs{rrHostA}, Policy{}, NoData},
		{"alias of itself", dns.TypeA, rrs{"host.example. 60 IN CNAME host.example."}, Policy{}, Alias},

		{"address", dns.TypeA, rrs{rrHostA}, Policy{}, Good},
		{"address of another name", dns.TypeA, rrs{rrA}, Policy{}, NoData},
		{"address of another name after the CNAME's", dns.TypeA, rrs{rrCNAME, "other.example. 60 IN A 192.0.2.1"}, Policy{}, Alias},
		{"CNAME of another name, and its address", dns.TypeA, rrs{"other.example. 60 IN CNAME real.example.", rrA}, Policy{}, NoData},
		{"address of a parent", dns.TypeA, rrs{"example. 60 IN A 192.0.2.1"}, Policy{}, NoData},
		{"name in another case", dns.TypeA, rrs{"HOST.Example. 60 IN A 192.0.2.1"}, Policy{}, Good},
		{"long chain in reverse", dns.TypeA, rrs{"c.example. 60 IN A 192.0.2.1", "b.example. 60 IN CNAME C.example.", "REAL.example. 60 IN CNAME b.example.", rrCNAME}, Policy{}, Good},
		{"chain with a gap", dns.TypeA, rrs{rrCNAME, "b.example. 60 IN CNAME c.example.", "c.example. 60 IN A 192.0.2.1"}, Policy{}, Alias},
		{"chain in a circle", dns.TypeA, rrs{rrCNAME, "real.example. 60 IN CNAME host.example."}, Policy{}, Alias},
		{"ANY asked, of another name", dns.TypeANY, rrs{rrA}, Policy{}, NoData},
		{"DNAME asked, of another name", dns.TypeDNAME, rrs{"example.org. 60 IN DNAME example.net."}, Policy{}, NoData},
		{"the CNAME's target asked for CNAME", dns.TypeCNAME, rrs{"real.example. 60 IN CNAME far.example."}, Policy{}, NoData},
		{"CNAME and address", dns.TypeA, rrs{rrCNAME, rrA}, Policy{}, Good},
		{"address before CNAME", dns.TypeA, rrs{rrA, rrCNAME}, Policy{}, Good},
		{"CNAME only", dns.TypeA, rrs{rrCNAME}, Policy{}, Alias},
		{"CNAME chain only", dns.TypeA, rrs{rrCNAME, "real.example. 60 IN CNAME far.example."}, Policy{}, Alias},
		{"CNAME and the other family", dns.TypeA, rrs{rrCNAME, rrAAAA}, Policy{}, Alias},
		{"CNAME asked", dns.TypeCNAME, rrs{rrCNAME}, Policy{}, Good},
		{"ANY asked", dns.TypeANY, rrs{rrCNAME}, Policy{}, Good},
		{"ANY asked", dns.TypeANY, rrs{rrTXT}, Policy{}, Good},
		{"RRSIG only", dns.TypeA, rrs{rrRRSIG}, Policy{}, NoData},
		{"RRSIG asked", dns.TypeRRSIG, rrs{rrRRSIG}, Policy{}, Good},
		{"DNAME without its CNAME", dns.TypeA, rrs{rrDNAME}, Policy{}, Alias},
		{"DNAME without its CNAME, and address", dns.TypeA, rrs{"host.example.net. 60 IN A 192.0.2.1", rrDNAME}, Policy{}, Good},
		{"DNAME to names that are too long", dns.TypeA, rrs{"example. 60 IN DNAME " + strings.Repeat(strings.Repeat("x", 62)+".", 4)}, Policy{}, NoData},
		{"DNAME and CNAME", dns.TypeA, rrs{rrDNAME, rrCNAME}, Policy{}, Alias},
		{"DNAME, CNAME and address", dns.TypeA, rrs{rrDNAME, rrCNAME, rrA}, Policy{}, Good},
		{"DNAME asked", dns.TypeDNAME, rrs{rrDNAME}, Policy{}, Good},
		{"unknown type asked", 65280, rrs{rrCNAME}, Policy{}, Alias},

		{"IPv4 address", dns.TypeA, rrs{rrBadA}, bogusPolicy, Bogus},
		{"IPv6 address", dns.TypeAAAA, rrs{rrBadAAAA}, bogusPolicy, Bogus},
		{"IPv4-mapped IPv6 address", dns.TypeAAAA, rrs{rrBadMapped}, bogusPolicy, Bogus},
		{"first address of a range", dns.TypeA, rrs{"real.example. 60 IN A 203.0.113.0"}, bogusPolicy, Bogus},
		{"last address of a range", dns.TypeA, rrs{"real.example. 60 IN A 203.0.113.255"}, bogusPolicy, Bogus},
		{"addresses next to a range", dns.TypeA, rrs{"host.example. 60 IN A 203.0.112.255", "host.example. 60 IN A 203.0.114.0"}, bogusPolicy, Good},
		{"behind a CNAME", dns.TypeA, rrs{rrCNAME, rrBadA}, bogusPolicy, Bogus},
		{"first among good ones", dns.TypeA, rrs{rrBadA, rrA}, bogusPolicy, Bogus},
		{"last among good ones", dns.TypeA, rrs{rrA, rrBadA}, bogusPolicy, Bogus},
		{"of the family not asked", dns.TypeA, rrs{rrA, rrBadAAAA}, bogusPolicy, Bogus},
		{"ANY asked", dns.TypeANY, rrs{rrTXT, rrBadA}, bogusPolicy, Bogus},
		{"good addresses", dns.TypeA, rrs{rrCNAME, rrA, rrAAAA}, bogusPolicy, Good},
		{"CNAME only", dns.TypeA, rrs{rrCNAME}, bogusPolicy, Alias},
		{"text of an address", dns.TypeTXT, rrs{rrTXT}, bogusPolicy, Good},
		{"bytes of an address in another type", 65280, rrs{rrUnknown}, bogusPolicy, Good},

		{"bogus before the type asked for", dns.TypeAAAA, rrs{rrCNAME, rrBadA}, bogusPolicy, Bogus},
	} {
		b := packReply(t, tc.qtype, dns.RcodeSuccess, tc.answer, nil, nil)
		wantVerdict(t, tc.what, b, tc.policy, tc.want)
		// The other sections do not count, but that there is an SOA where nothing is answered.
		b = packReply(t, tc.qtype, dns.RcodeSuccess, tc.answer, rrs{rrNS}, rrs{rrBadGlue, rrOPT})
		wantVerdict(t, tc.what+", all sections", b, tc.policy, tc.want)
		b = packReply(t, tc.qtype, dns.RcodeSuccess, tc.answer, rrs{rrSOA, rrNS}, nil)
		if tc.want == NoData {
			tc.want = NoDataSOA
		}
		wantVerdict(t, tc.what+", SOA", b, tc.policy, tc.want)
	}
}

// R23: that what an alias leads to has no record of these types is said of most names, and
// believed like any such reply, if there is an SOA; of other types others may know more.
func TestJudgeEndWithoutType(t *testing.T) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSVCB, dns.TypeMX, dns.TypeTXT, dns.TypeSRV} {
		want := Alias
		if qtype == dns.TypeAAAA || qtype == dns.TypeHTTPS || qtype == dns.TypeSVCB {
			want = NoDataSOA
		}
		what := dns.Type(qtype).String()
		wantVerdict(t, what, packReply(t, qtype, dns.RcodeSuccess, rrs{rrCNAME}, nil, nil), Policy{}, Alias)
		wantVerdict(t, what+", SOA", packReply(t, qtype, dns.RcodeSuccess, rrs{rrCNAME}, rrs{rrSOA}, nil), Policy{}, want)
		wantVerdict(t, what+", SOA in the wrong section", packReply(t, qtype, dns.RcodeSuccess, rrs{rrCNAME}, nil, rrs{rrSOA}), Policy{}, Alias)
		for _, qtype := range []uint16{dns.TypeCNAME, dns.TypeANY} {
			wantVerdict(t, "asked for "+dns.Type(qtype).String(), packReply(t, qtype, dns.RcodeSuccess, rrs{rrCNAME}, rrs{rrSOA}, nil), Policy{}, Good)
		}
	}
}

func TestJudgeNotGood(t *testing.T) {
	const badVers = dns.RcodeBadVers // 16: BADVERS is 1 in OPT and 0, as NOERROR, in the header
	for _, tc := range []struct {
		what                          string
		rcode                         int
		answer, authority, additional rrs
		want                          Verdict
	}{
		{what: "NODATA", authority: rrs{rrSOA}, want: NoDataSOA},
		{what: "NODATA with OPT", authority: rrs{rrSOA}, additional: rrs{rrOPT}, want: NoDataSOA},
		{what: "NODATA of a signed zone", authority: rrs{rrRRSIG, rrSOA}, want: NoDataSOA},
		{what: "bare NOERROR", want: NoData},
		{what: "bare NOERROR with OPT", additional: rrs{rrOPT}, want: NoData},
		{what: "NS beside no answer", authority: rrs{rrNS}, additional: rrs{rrGlue, rrOPT}, want: NoData},
		{what: "SOA in the wrong section", additional: rrs{rrSOA}, want: NoData},

		{what: "NXDOMAIN", rcode: dns.RcodeNameError, authority: rrs{rrSOA}, want: NXDomainSOA},
		{what: "NXDOMAIN after NS", rcode: dns.RcodeNameError, authority: rrs{rrNS, rrSOA}, additional: rrs{rrOPT}, want: NXDomainSOA},
		{what: "NXDOMAIN of a CNAME's target", rcode: dns.RcodeNameError, answer: rrs{rrCNAME}, authority: rrs{rrSOA}, want: NXDomainChain},
		{what: "NXDOMAIN of a CNAME's target, bare", rcode: dns.RcodeNameError, answer: rrs{rrCNAME}, want: NXDomainChain},
		{what: "NXDOMAIN below a DNAME", rcode: dns.RcodeNameError, answer: rrs{rrDNAME, rrRRSIG, rrCNAME}, authority: rrs{rrSOA}, want: NXDomainChain},
		{what: "NXDOMAIN below a DNAME, without its CNAME", rcode: dns.RcodeNameError, answer: rrs{rrDNAME}, want: NXDomainChain},
		{what: "CNAME in the wrong section", rcode: dns.RcodeNameError, authority: rrs{rrSOA, rrCNAME}, additional: rrs{rrCNAME}, want: NXDomainSOA},
		{what: "NXDOMAIN with a bogus address", rcode: dns.RcodeNameError, answer: rrs{rrBadA}, want: NXDomain},
		{what: "bare NXDOMAIN", rcode: dns.RcodeNameError, want: NXDomain},
		{what: "NXDOMAIN, SOA as answer", rcode: dns.RcodeNameError, answer: rrs{rrSOA}, want: NXDomain},

		{what: "SERVFAIL", rcode: dns.RcodeServerFailure, want: ServFail},
		{what: "SERVFAIL with SOA", rcode: dns.RcodeServerFailure, authority: rrs{rrSOA}, want: ServFail},
		{what: "SERVFAIL with an answer", rcode: dns.RcodeServerFailure, answer: rrs{rrA}, want: ServFail},
		{what: "REFUSED", rcode: dns.RcodeRefused, want: Refused},
		{what: "REFUSED with an answer", rcode: dns.RcodeRefused, answer: rrs{rrA}, additional: rrs{rrOPT}, want: Refused},
		{what: "FORMERR", rcode: dns.RcodeFormatError, want: Error},
		{what: "NOTIMP", rcode: dns.RcodeNotImplemented, want: Error},
		{what: "YXDOMAIN", rcode: dns.RcodeYXDomain, answer: rrs{rrDNAME}, want: Error},
		{what: "NOTAUTH", rcode: dns.RcodeNotAuth, authority: rrs{rrSOA}, want: Error},
		{what: "15", rcode: 15, want: Error},

		{what: "BADVERS", rcode: badVers, additional: rrs{rrOPT}, want: Error},
		{what: "BADVERS with SOA", rcode: badVers, authority: rrs{rrSOA}, additional: rrs{rrOPT}, want: Error},
		{what: "OPT that is not the first", rcode: badVers, additional: rrs{rrGlue, rrOPT}, want: Error},
		{what: "BADCOOKIE, 7 in the header", rcode: dns.RcodeBadCookie, additional: rrs{rrOPT}, want: Error},
		{what: "19, as NXDOMAIN in the header", rcode: 19, authority: rrs{rrSOA}, additional: rrs{rrOPT}, want: Error},
		{what: "the greatest code", rcode: 0xfff, additional: rrs{rrOPT}, want: Error},
	} {
		b := packReply(t, dns.TypeA, tc.rcode, tc.answer, tc.authority, tc.additional)
		for _, p := range []Policy{{}, bogusPolicy} {
			wantVerdict(t, tc.what, b, p, tc.want)
		}
	}
}

// A truncated reply in which nothing of the type asked for had room says that there is an
// answer, and no more. An alias leads on all the same.
func TestJudgeTruncated(t *testing.T) {
	for _, tc := range []struct {
		what              string
		rcode             int
		answer, authority rrs
		want              Verdict
	}{
		{"empty", 0, nil, nil, Truncated},
		{"with NS", 0, nil, rrs{rrNS}, Truncated},
		{"with SOA", 0, nil, rrs{rrSOA}, Truncated},
		{"CNAME", 0, rrs{rrCNAME}, nil, Alias},
		{"the other family", 0, rrs{rrAAAA}, nil, Truncated},
		{"some addresses", 0, rrs{rrCNAME, rrA}, nil, Good},
		{"NXDOMAIN", dns.RcodeNameError, nil, rrs{rrSOA}, NXDomainSOA},
		{"SERVFAIL", dns.RcodeServerFailure, nil, nil, ServFail},
		{"REFUSED", dns.RcodeRefused, nil, nil, Refused},
	} {
		b := packReply(t, dns.TypeA, tc.rcode, tc.answer, tc.authority, nil)
		for _, is := range []bits{{tc: true}, {tc: true, ra: true}, {tc: true, aa: true}} {
			wantVerdict(t, tc.what, flagged(b, is), Policy{}, tc.want)
		}
	}
	bad := flagged(packReply(t, dns.TypeA, 0, rrs{rrCNAME, rrBadAAAA}, nil, nil), bits{tc: true})
	wantVerdict(t, "bogus", bad, bogusPolicy, Bogus)
}

// A server that is asked what it does not know of, and does not look for others, says
// NOERROR to it, and nothing of the name: neither is it authoritative nor does it
// recurse.
func TestJudgeReferral(t *testing.T) {
	neither := bits{}
	for _, tc := range []struct {
		what                          string
		rcode                         int
		is                            bits
		answer, authority, additional rrs
		want                          Verdict
	}{
		{"referral", 0, neither, nil, rrs{rrNS}, rrs{rrGlue, rrOPT}, Referral},
		{"empty authority", 0, neither, nil, nil, nil, Referral},
		{"empty but for OPT", 0, neither, nil, nil, rrs{rrOPT}, Referral},
		{"SOA in the wrong section", 0, neither, nil, nil, rrs{rrSOA}, Referral},
		{"of a resolver", 0, bits{ra: true}, nil, rrs{rrNS}, rrs{rrGlue}, NoData},
		{"of an authority", 0, bits{aa: true}, nil, nil, nil, NoData},
		{"of both", 0, bits{aa: true, ra: true}, nil, nil, nil, NoData},
		{"with SOA", 0, neither, nil, rrs{rrSOA}, nil, NoDataSOA},
		{"with SOA and NS", 0, neither, nil, rrs{rrNS, rrSOA}, nil, NoDataSOA},
		{"with an answer", 0, neither, rrs{rrHostA}, rrs{rrNS}, nil, Good},
		{"NXDOMAIN", dns.RcodeNameError, neither, nil, nil, nil, NXDomain},
		{"SERVFAIL", dns.RcodeServerFailure, neither, nil, rrs{rrNS}, nil, ServFail},
		{"REFUSED", dns.RcodeRefused, neither, nil, nil, nil, Refused},
		{"BADVERS", dns.RcodeBadVers, neither, nil, nil, rrs{rrOPT}, Error},
	} {
		b := flagged(packReply(t, dns.TypeA, tc.rcode, tc.answer, tc.authority, tc.additional), tc.is)
		for _, p := range []Policy{{}, bogusPolicy} {
			wantVerdict(t, tc.what, b, p, tc.want)
		}
	}
}

// A chain that holds a bogus address is not lifted above an honest denial.
func TestJudgeBogusChain(t *testing.T) {
	for _, p := range []Policy{{}} {
		wantVerdict(t, "address", packReply(t, dns.TypeA, dns.RcodeNameError, rrs{rrCNAME, rrBadA}, rrs{rrSOA}, nil), p, NXDomainChain)
	}
	for _, p := range []Policy{bogusPolicy} {
		for _, chain := range []rrs{{rrCNAME, rrBadA}, {rrBadAAAA, rrCNAME}, {rrDNAME, rrCNAME, rrA, rrBadMapped}} {
			wantVerdict(t, "with SOA", packReply(t, dns.TypeA, dns.RcodeNameError, chain, rrs{rrSOA}, nil), p, NXDomainSOA)
			wantVerdict(t, "bare", packReply(t, dns.TypeA, dns.RcodeNameError, chain, nil, nil), p, NXDomain)
		}
		// Other sections do not count.
		wantVerdict(t, "glue", packReply(t, dns.TypeA, dns.RcodeNameError, rrs{rrCNAME, rrA}, rrs{rrSOA}, rrs{rrBadGlue}), p, NXDomainChain)
	}
}

// Servers that cannot read a query reply with a header alone.
func TestJudgeWithoutQuestion(t *testing.T) {
	for rcode, want := range map[int]Verdict{
		dns.RcodeSuccess:        NoData,
		dns.RcodeFormatError:    Error,
		dns.RcodeServerFailure:  ServFail,
		dns.RcodeNameError:      NXDomain,
		dns.RcodeNotImplemented: Error,
		dns.RcodeRefused:        Refused,
	} {
		b := make([]byte, wire.HeaderSize)
		b[2], b[3] = 0x80, 0x80|byte(rcode)
		for _, p := range []Policy{{}, bogusPolicy} {
			wantVerdict(t, dns.RcodeToString[rcode], b, p, want)
		}
	}
	// An answer to no question has no type that it lacks.
	m := new(dns.Msg)
	m.Answer = []dns.RR{&dns.CNAME{Hdr: dns.RR_Header{Name: "host.example.", Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "real.example."}}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	wantVerdict(t, "answer without question", b, Policy{}, Good)
}

// A message too short for a header is no reply; one that breaks off later is
// judged by what is there.
func TestJudgeCutShort(t *testing.T) {
	good := packReply(t, dns.TypeA, dns.RcodeSuccess, rrs{rrCNAME, rrA}, nil, nil)
	noData := packReply(t, dns.TypeA, dns.RcodeSuccess, nil, rrs{rrSOA}, nil)
	for n := range wire.HeaderSize {
		for _, p := range []Policy{{}, bogusPolicy} {
			wantVerdict(t, fmt.Sprintf("%d bytes", n), good[:n], p, None)
		}
	}
	for _, tc := range []struct {
		what   string
		msg    []byte
		policy Policy
		want   Verdict
	}{
		{"header of an answer", good[:wire.HeaderSize], Policy{}, Good},
		{"answer without its last byte", good[:len(good)-1], Policy{}, Alias},
		{"SOA without its last byte", noData[:len(noData)-1], Policy{}, NoData},
		{"answer with a byte more", append(slices.Clone(good), 0), bogusPolicy, Good},
		{"SOA with a byte more", append(slices.Clone(noData), 0), bogusPolicy, NoDataSOA},
	} {
		wantVerdict(t, tc.what, tc.msg, tc.policy, tc.want)
	}
}

// Rule R3 from the best to the worst, each place with replies that hold it. A
// bogus answer is the last resort: the client is better off with any error.
func TestR3Order(t *testing.T) {
	r := func(rcode int, answer, authority, additional rrs) []byte {
		return packReply(t, dns.TypeA, rcode, answer, authority, additional)
	}
	order := []struct {
		verdict Verdict
		replies [][]byte
	}{
		{Good, [][]byte{r(dns.RcodeSuccess, rrs{rrHostA}, nil, nil), r(dns.RcodeSuccess, rrs{rrCNAME, rrA}, rrs{rrSOA}, nil)}},
		{Alias, [][]byte{r(dns.RcodeSuccess, rrs{rrCNAME}, nil, nil), r(dns.RcodeSuccess, rrs{rrCNAME}, rrs{rrSOA}, nil), flagged(r(dns.RcodeSuccess, rrs{rrCNAME}, nil, nil), bits{tc: true, ra: true})}},
		{Truncated, [][]byte{flagged(r(dns.RcodeSuccess, nil, nil, nil), bits{tc: true, ra: true}), flagged(r(dns.RcodeSuccess, rrs{rrAAAA}, nil, nil), bits{tc: true, ra: true})}},
		{Broken, nil}, // no reply as it came
		{NoDataSOA, [][]byte{r(dns.RcodeSuccess, nil, rrs{rrSOA}, nil), r(dns.RcodeSuccess, rrs{rrTXT}, rrs{rrSOA}, nil)}},
		{NoData, [][]byte{r(dns.RcodeSuccess, nil, nil, nil), flagged(r(dns.RcodeSuccess, nil, nil, nil), bits{aa: true})}},
		{NXDomainChain, [][]byte{r(dns.RcodeNameError, rrs{rrCNAME}, rrs{rrSOA}, nil), r(dns.RcodeNameError, rrs{rrDNAME, rrCNAME}, nil, nil)}},
		{NXDomainSOA, [][]byte{r(dns.RcodeNameError, nil, rrs{rrSOA}, nil), r(dns.RcodeNameError, rrs{rrA}, rrs{rrSOA}, nil)}},
		{NXDomain, [][]byte{r(dns.RcodeNameError, nil, nil, nil)}},
		{Referral, [][]byte{flagged(r(dns.RcodeSuccess, nil, rrs{rrNS}, rrs{rrGlue}), bits{}), flagged(r(dns.RcodeSuccess, nil, nil, nil), bits{})}},
		{ServFail, [][]byte{r(dns.RcodeServerFailure, nil, nil, nil), r(dns.RcodeServerFailure, nil, nil, rrs{rrOPT})}},
		{Error, [][]byte{r(dns.RcodeNotImplemented, nil, nil, nil), r(dns.RcodeFormatError, nil, nil, nil), r(dns.RcodeYXDomain, nil, nil, nil), r(dns.RcodeBadVers, nil, nil, rrs{rrOPT})}},
		{Refused, [][]byte{r(dns.RcodeRefused, nil, nil, nil)}},
		{Bogus, [][]byte{r(dns.RcodeSuccess, rrs{rrBadA}, nil, nil), r(dns.RcodeSuccess, rrs{rrCNAME, rrA, rrBadAAAA}, nil, nil)}},
		{Untrusted, [][]byte{r(dns.RcodeSuccess, rrs{"host.example. 60 IN A 10.0.0.1"}, nil, nil)}},
		{None, [][]byte{nil}},
	}
	policy := bogusPolicy
	policy.NoPrivate = true
	for i, place := range order {
		if i > 0 && place.verdict >= order[i-1].verdict {
			t.Errorf("%d %v is not below %d %v", place.verdict, place.verdict, order[i-1].verdict, order[i-1].verdict)
		}
		for _, b := range place.replies {
			wantVerdict(t, fmt.Sprintf("place %d, % x", i, b), b, policy, place.verdict)
		}
	}
	if len(order) != len(verdicts) {
		t.Errorf("%d verdicts are in the order, of %d", len(order), len(verdicts))
	}
}

// Each verdict has a name and words, and the words are its own, but for those of an rcode.
func TestVerdictWords(t *testing.T) {
	whose := make(map[string]Verdict)
	for v := range Good + 1 {
		words := v.Words("AAAA", "NOTIMP")
		if v.String() == "" || words == "" || strings.Contains(words, "TYPE") || strings.Contains(words, "RCODE") {
			t.Errorf("verdict %d is called %q: %q", v, v, words)
		}
		if other, ok := whose[words]; ok && !strings.Contains(words, "NOTIMP") {
			t.Errorf("verdicts %d and %d are both %q", other, v, words)
		}
		whose[words] = v
	}
}

// Negative verdicts are those that rule R7 is about.
func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		verdict  Verdict
		word     string
		negative bool
	}{
		{None, "none", false},
		{Untrusted, "bogus", false},
		{Bogus, "bogus", false},
		{Refused, "refused", false},
		{Error, "error", false},
		{ServFail, "servfail", false},
		{Referral, "referral", false},
		{NXDomain, "nxdomain", true},
		{NXDomainSOA, "nxdomain", true},
		{NXDomainChain, "nxdomain", true},
		{NoData, "nodata", true},
		{NoDataSOA, "nodata", true},
		{Broken, "servfail", false},
		{Truncated, "truncated", false},
		{Alias, "cname", false},
		{Good, "good", false},
	} {
		if got := tc.verdict.String(); got != tc.word {
			t.Errorf("verdict %d is called %s, want %s", tc.verdict, got, tc.word)
		}
		if got := tc.verdict.Negative(); got != tc.negative {
			t.Errorf("verdict %d %v is negative: %v, want %v", tc.verdict, tc.verdict, got, tc.negative)
		}
	}
}
