package race

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// R7: how long caches may keep a reply follows from its verdict, from whether all have given
// their opinion, and from whether an answer for another type is alive.
func TestR7MaxTTL(t *testing.T) {
	const ever = math.MaxUint32
	silent := []error{nil, errors.New("silent")}
	for _, tc := range []struct {
		what      string
		records   []string // of the reply; before SECTION those of the answer
		verdict   Verdict
		long      MaxTTL // conclusive, beside an answer of another type
		short     MaxTTL // conclusive
		uncertain MaxTTL
	}{
		{"good", []string{rrHostA}, Good, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"good with servers", []string{rrHostA, "SECTION", rrNS}, Good, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"good with SOA", []string{rrHostA, "SECTION", rrSOA}, Good, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"NODATA of a chain", []string{rrCNAME, "SECTION", rrSOA}, NoDataSOA, MaxTTL{ever, 60}, MaxTTL{ever, 5}, MaxTTL{5, 5}},
		{"NODATA of a chain without SOA", []string{rrCNAME}, NoData, MaxTTL{60, 60}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"alias that the client follows", []string{rrCNAME}, Alias, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"the same with SOA", []string{rrCNAME, "SECTION", rrSOA}, Alias, MaxTTL{ever, 60}, MaxTTL{ever, 5}, MaxTTL{ever, 5}},
		{"alias without an end", nil, Broken, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"NODATA", []string{"SECTION", rrSOA}, NoDataSOA, MaxTTL{60, 60}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"NODATA without SOA", nil, NoData, MaxTTL{60, 60}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"NXDOMAIN", []string{"SECTION", rrSOA}, NXDomainSOA, MaxTTL{5, 5}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"NXDOMAIN without SOA", nil, NXDomain, MaxTTL{5, 5}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"NXDOMAIN of a chain", []string{rrCNAME, "SECTION", rrSOA}, NXDomainChain, MaxTTL{5, 5}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"truncated", []string{"SECTION", rrSOA}, Truncated, MaxTTL{5, 5}, MaxTTL{5, 5}, MaxTTL{5, 5}},
		{"referral", []string{"SECTION", rrNS}, Referral, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{5, 5}},
		{"bogus", []string{rrBadA}, Bogus, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{5, 5}},
		{"SERVFAIL", nil, ServFail, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
		{"none", nil, None, MaxTTL{ever, ever}, MaxTTL{ever, ever}, MaxTTL{ever, ever}},
	} {
		m := new(dns.Msg).SetQuestion("host.example.", dns.TypeA)
		section := &m.Answer
		for _, text := range tc.records {
			if text == "SECTION" {
				section = &m.Ns
				continue
			}
			rr, err := dns.NewRR(text)
			if err != nil {
				t.Fatal(err)
			}
			*section = append(*section, rr)
		}
		raw, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		for _, is := range []struct {
			errs   []error
			exists bool
			want   MaxTTL
		}{{nil, true, tc.long}, {nil, false, tc.short}, {silent, true, tc.uncertain}, {silent, false, tc.uncertain}} {
			if tc.verdict.Wins() && is.errs != nil {
				continue // then nobody asks
			}
			r := Result{Verdict: tc.verdict, Msg: raw, Errs: is.errs}
			if got := r.MaxTTL(5*time.Second, is.exists, false); got != is.want {
				t.Errorf("%s, errors %v, exists %v: %v, want %v", tc.what, is.errs, is.exists, got, is.want)
			}
		}
	}
	noData := Result{Verdict: NoDataSOA}
	if got := noData.MaxTTL(5*time.Minute, true, false); got.Authority != 300 {
		t.Errorf("a name that exists lives %d s, shorter than one that may not", got.Authority)
	}
	if got := noData.MaxTTL(0, false, false); got.Authority != 0 {
		t.Errorf("with negative_ttl 0 a denial lives %d s", got.Authority)
	}
	for verdict, want := range map[Verdict]uint32{Good: 30, NoDataSOA: 60, NXDomainSOA: 5} {
		if got := (Result{Verdict: verdict}).MaxTTL(5*time.Second, true, true); got.Answer != want {
			t.Errorf("%v, where answers differ: it lives %d s", verdict, got.Answer)
		}
	}
}
