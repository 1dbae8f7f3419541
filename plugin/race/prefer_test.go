package race

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

var (
	private   = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 10.1.0.1"))
	addressed = withType(dns.TypeHTTPS, reply(dns.RcodeSuccess, false, answer("host.example. 60 IN HTTPS 1 .")))
)

// withEDE is a reply with an extended error.
func withEDE(rcode int, soa bool, code uint16, answers ...dns.RR) []byte {
	m := new(dns.Msg)
	if err := m.Unpack(reply(rcode, soa, answers...)); err != nil {
		panic(err)
	}
	m.SetEdns0(1232, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: code}}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func TestR17Preference(t *testing.T) {
	const grace = 20 * ms
	order := func(differs ...bool) *Preference {
		p := &Preference{Grace: grace}
		for i, d := range differs {
			p.Expected = append(p.Expected, Expectation{Rank: OrderRank(i), Differs: d})
		}
		return p
	}
	unknown := order(false, false, false)
	differ := order(true, false, true)
	nothing := &Preference{Grace: grace, Expected: []Expectation{{Rank: NoRank}, {Rank: NoRank}, {Rank: NoRank}}}
	view := &Preference{Grace: grace, Expected: []Expectation{{Rank: OrderRank(0), Differs: true}, {Rank: NoRank}, {Rank: ViewRank, Differs: true}}}
	privately := &Preference{Grace: grace, Private: true, Expected: []Expectation{{Rank: PrivateRank, Differs: true}, {Rank: PublicRank, Differs: true}, {Rank: PublicRank}}}
	somebody := &Preference{Grace: grace, Private: true, Expected: []Expectation{{Rank: PrivateRank}, {Rank: PrivateRank}, {Rank: PrivateRank}}}
	for _, tc := range []struct {
		what      string
		prefer    *Preference
		upstreams [][]event
		leg       int
		verdict   Verdict
		after     time.Duration
	}{
		{"no preference: the first", nil, [][]event{says(15*ms, goodReply), says(5*ms, otherGood), nil}, 1, Good, 5 * ms},
		{"nothing better is expected", nothing, [][]event{says(15*ms, goodReply), says(5*ms, otherGood), nil}, 1, Good, 5 * ms},
		{"the better one within the grace", unknown, [][]event{says(15*ms, goodReply), says(5*ms, otherGood), nil}, 0, Good, 15 * ms},
		{"the best does not wait", unknown, [][]event{says(5*ms, goodReply), says(15*ms, otherGood), nil}, 0, Good, 5 * ms},
		{"the grace is over", unknown, [][]event{says(26*ms, goodReply), says(5*ms, otherGood), nil}, 1, Good, 25 * ms},
		{"the grace begins with the first good answer", unknown, [][]event{says(240*ms, goodReply), says(219*ms, otherGood), says(200*ms, otherGood)}, 1, Good, 220 * ms},
		{"the better ones have replied", unknown, [][]event{says(7*ms, nxdomain), says(6*ms, servfail), says(5*ms, goodReply)}, 2, Good, 7 * ms},
		{"the better one fails", unknown, [][]event{{{9 * ms, errBroken}}, says(5*ms, otherGood), nil}, 1, Good, 9 * ms},
		{"the better one is down", unknown, [][]event{{{0, nil}, {10 * ms, goodReply}}, says(5*ms, otherGood), nil}, 1, Good, 5 * ms},
		{"it goes down", unknown, [][]event{{{8 * ms, nil}}, says(5*ms, otherGood), nil}, 1, Good, 8 * ms},
		{"its NODATA does not count where nothing differs", unknown, [][]event{says(7*ms, nodata), says(5*ms, otherGood), nil}, 1, Good, 7 * ms},
		{"its NODATA is the answer where answers differ", differ, [][]event{says(7*ms, nodata), says(5*ms, otherGood), nil}, 0, NoDataSOA, 7 * ms},
		{"that of a lesser one is not", differ, [][]event{says(9*ms, servfail), says(7*ms, otherGood), says(5*ms, nodata)}, 1, Good, 9 * ms},
		{"a denial is never better", differ, [][]event{says(7*ms, nxdomain), says(5*ms, otherGood), nil}, 1, Good, 7 * ms},
		{"NODATA alone waits for all", differ, [][]event{says(7*ms, nodata), says(100*ms, nxdomain), says(300*ms, nxdomain)}, 0, NoDataSOA, 300 * ms},
		{"the view of its clients", view, [][]event{says(5*ms, goodReply), says(7*ms, goodReply), says(20*ms, otherGood)}, 2, Good, 20 * ms},
		{"has no such record", view, [][]event{says(5*ms, goodReply), says(7*ms, goodReply), says(20*ms, nodata)}, 2, NoDataSOA, 20 * ms},
		{"a private answer", privately, [][]event{says(15*ms, private), says(5*ms, goodReply), nil}, 0, Good, 15 * ms},
		{"of whoever it is", privately, [][]event{nil, says(5*ms, goodReply), says(10*ms, private)}, 2, Good, 10 * ms},
		{"it does not wait", privately, [][]event{nil, says(5*ms, private), nil}, 1, Good, 5 * ms},
		{"other types of who has private ones", privately, [][]event{says(15*ms, addressed), says(5*ms, addressed), nil}, 0, Good, 15 * ms},
		{"a public one of it is none", privately, [][]event{says(15*ms, goodReply), says(5*ms, otherGood), nil}, 1, Good, 15 * ms},
		{"nothing is known: anybody may have one", somebody, [][]event{nil, says(5*ms, goodReply), says(10*ms, private)}, 2, Good, 10 * ms},
		{"nobody has", somebody, [][]event{nil, says(5*ms, goodReply), says(10*ms, otherGood)}, 1, Good, 25 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scripts := make([]*script, len(tc.upstreams))
				r := begin(Setup{Prefer: tc.prefer}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) {
					scripts[i] = &script{events: tc.upstreams[i]}
					return scripts[i].ask(leg)
				})
				defer r.End()
				start := time.Now()
				res := r.Wait(t.Context())
				if res.Leg != tc.leg || res.Verdict != tc.verdict || time.Since(start) != tc.after || !res.Conclusive() {
					t.Errorf("leg %d, %v, after %v, %v", res.Leg, res.Verdict, time.Since(start), res.Errs)
				}
				r.Linger(t.Context()) // it must come to an end
			})
		})
	}
}

// A reply that says it is a filter's ends the race, unless a good answer came before.
func TestR4Filtered(t *testing.T) {
	blocked := withEDE(dns.RcodeNameError, true, dns.ExtendedErrorCodeBlocked)
	prohibited := withEDE(dns.RcodeSuccess, false, dns.ExtendedErrorCodeProhibited)
	answering := func(code uint16, addresses ...string) []byte {
		var rrs []dns.RR
		for _, a := range addresses {
			rrs = append(rrs, answer("host.example. 60 IN "+a))
		}
		return withEDE(dns.RcodeSuccess, false, code, rrs...)
	}
	blackhole := answering(dns.ExtendedErrorCodeFiltered, "A 0.0.0.0")
	for _, tc := range []struct {
		what      string
		off       bool
		upstreams [][]event
		leg       int
		verdict   Verdict
		after     time.Duration
	}{
		{"at once", false, [][]event{nil, says(5*ms, blocked), says(10*ms, goodReply)}, 1, NXDomainSOA, 5 * ms},
		{"NODATA too", false, [][]event{nil, says(5*ms, prohibited), says(10*ms, goodReply)}, 1, NoData, 5 * ms},
		{"after better ones", false, [][]event{says(3*ms, nodata), says(5*ms, blocked), says(10*ms, goodReply)}, 1, NXDomainSOA, 5 * ms},
		{"with a null address", false, [][]event{nil, says(5*ms, blackhole), says(10*ms, goodReply)}, 1, Good, 5 * ms},
		{"with one of IPv6", false, [][]event{nil, says(5*ms, withType(dns.TypeAAAA, answering(dns.ExtendedErrorCodeBlocked, "AAAA ::"))), says(10*ms, goodReply)}, 1, Good, 5 * ms},
		{"with the address of a page", false, [][]event{nil, says(5*ms, answering(dns.ExtendedErrorCodeCensored, "A 192.0.2.80")), says(10*ms, goodReply)}, 1, Good, 5 * ms},
		{"with the name of a page, which is not looked up", false, [][]event{nil, says(5*ms, answering(dns.ExtendedErrorCodeBlocked, "CNAME page.example.")), says(10*ms, goodReply)}, 1, Alias, 5 * ms},
		{"by a failure", false, [][]event{nil, says(5*ms, withEDE(dns.RcodeServerFailure, false, dns.ExtendedErrorCodeBlocked)), says(10*ms, goodReply)}, 1, ServFail, 5 * ms},
		{"with a forged null address", false, [][]event{nil, says(5*ms, answering(dns.ExtendedErrorCodeForgedAnswer, "A 0.0.0.0", "AAAA ::ffff:0.0.0.0")), says(10*ms, goodReply)}, 1, Good, 5 * ms},
		{"not with a null address alone", false, [][]event{says(3*ms, nxdomain), says(5*ms, reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 0.0.0.0"))), says(10*ms, nxdomain)}, 1, Good, 5 * ms},
		{"a forged address is an answer as any", false, [][]event{says(3*ms, goodReply), says(5*ms, answering(dns.ExtendedErrorCodeForgedAnswer, "A 192.0.2.80")), nil}, 0, Good, 3 * ms},
		{"a null address not after a good one", false, [][]event{says(3*ms, goodReply), says(5*ms, blackhole), nil}, 0, Good, 3 * ms},
		{"nor if it is bogus", false, [][]event{says(20*ms, goodReply), says(5*ms, answering(dns.ExtendedErrorCodeBlocked, "A 203.0.113.80")), nil}, 0, Good, 20 * ms},
		{"nor where it is refused", false, [][]event{says(20*ms, goodReply), says(5*ms, withEDE(dns.RcodeRefused, false, dns.ExtendedErrorCodeBlocked)), nil}, 0, Good, 20 * ms},
		{"not after a good one", false, [][]event{says(3*ms, goodReply), says(5*ms, blocked), nil}, 0, Good, 3 * ms},
		{"not for another reason", false, [][]event{says(20*ms, goodReply), says(5*ms, withEDE(dns.RcodeNameError, true, dns.ExtendedErrorCodeStaleNXDOMAINAnswer)), nil}, 0, Good, 20 * ms},
		{"nor for a failure", false, [][]event{says(20*ms, goodReply), says(5*ms, withEDE(dns.RcodeRefused, false, dns.ExtendedErrorCodeProhibited)), nil}, 0, Good, 20 * ms},
		{"nor where it is not asked for", true, [][]event{nil, says(5*ms, blocked), says(10*ms, goodReply)}, 2, Good, 10 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scripts := make([]*script, len(tc.upstreams))
				start := time.Now()
				r := begin(Setup{Rules: Rules{Filtered: !tc.off, Policy: bogusPolicy}, Aliases: true}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) {
					scripts[i] = &script{events: tc.upstreams[i]}
					return scripts[i].ask(leg)
				})
				defer r.End()
				res := r.Wait(t.Context())
				if res.Leg != tc.leg || res.Verdict != tc.verdict || time.Since(start) != tc.after || res.Inconclusive() {
					t.Errorf("leg %d, %v, after %v", res.Leg, res.Verdict, time.Since(start))
				}
				time.Sleep(timeout)
			})
		})
	}
}
