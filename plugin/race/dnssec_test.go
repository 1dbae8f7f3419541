package race

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// A signature of the answers, and replies with it.
var (
	rrsig         = answer("host.example. 60 IN RRSIG A 13 2 60 20300101000000 20200101000000 1 example. AAAA")
	goodSigned    = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 192.0.2.1"), rrsig)
	nodataSigned  = signedDenial(dns.RcodeSuccess)
	nxSigned      = signedDenial(dns.RcodeNameError)
	chainSigned   = reply(dns.RcodeNameError, true, answer("host.example. 60 IN CNAME gone.example."), rrsig)
	signedInExtra = func() []byte {
		m := new(dns.Msg)
		if err := m.Unpack(otherGood); err != nil {
			panic(err)
		}
		m.Extra = []dns.RR{rrsig}
		b, err := m.Pack()
		if err != nil {
			panic(err)
		}
		return b
	}()
)

func signedDenial(rcode int) []byte {
	m := new(dns.Msg)
	if err := m.Unpack(reply(rcode, true)); err != nil {
		panic(err)
	}
	m.Ns = append(m.Ns, rrsig)
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// signer is an upstream, and what is known of it and DNSSEC.
type signer struct {
	events []event
	known  bool
	worth  time.Duration
}

func asks(known bool, worth time.Duration, events ...event) signer {
	return signer{events, known, worth}
}

// R19: what a client gets who asks for signatures, and when.
func TestR19Races(t *testing.T) {
	const worth = 100 * ms
	// One that strips what others sign, or does not sign itself; one that signs.
	strips := func(after time.Duration, msg []byte) signer { return asks(false, 0, event{after, msg}) }
	signs := func(after time.Duration, msg []byte) signer { return asks(true, worth, event{after, msg}) }
	for _, tc := range []struct {
		what      string
		upstreams []signer
		leg       int
		verdict   Verdict
		after     time.Duration
	}{
		{"a signed answer is waited for", []signer{strips(0, otherGood), signs(40*ms, goodSigned)}, 1, Good, 40 * ms},
		{"as long as it is worth", []signer{strips(10*ms, otherGood), signs(110*ms-1, goodSigned)}, 1, Good, 110*ms - 1},
		{"and no longer", []signer{strips(10*ms, otherGood), signs(111*ms, goodSigned)}, 0, Good, 110 * ms},
		{"from the answer on", []signer{strips(300*ms, otherGood), signs(350*ms, goodSigned)}, 1, Good, 350 * ms},
		{"by none that is signed", []signer{asks(false, 0, event{0, goodSigned}), signs(40*ms, goodSigned)}, 0, Good, 0},
		{"by none of who is known to sign", []signer{signs(0, otherGood), signs(40*ms, goodSigned)}, 0, Good, 0},
		{"if nobody signs, the first is given", []signer{strips(0, goodReply), signs(40*ms, otherGood)}, 0, Good, 40 * ms},
		{"whatever they say who sign ends it: a denial", []signer{strips(0, goodReply), signs(40*ms, nxSigned)}, 0, Good, 40 * ms},
		{"NODATA", []signer{strips(0, goodReply), signs(40*ms, nodataSigned)}, 0, Good, 40 * ms},
		{"SERVFAIL", []signer{strips(0, goodReply), signs(40*ms, servfail)}, 0, Good, 40 * ms},
		{"an error", []signer{strips(0, goodReply), asks(true, worth, event{20 * ms, errBroken})}, 0, Good, 20 * ms},
		{"silence that is known", []signer{strips(10*ms, goodReply), asks(true, worth, event{0, nil})}, 0, Good, 10 * ms},
		{"silence that is found", []signer{strips(10*ms, goodReply), asks(true, worth, event{30 * ms, nil})}, 0, Good, 30 * ms},
		{"one that is back", []signer{strips(10*ms, goodReply), asks(true, worth, event{0, nil}, event{5 * ms, goodSigned})}, 1, Good, 5 * ms},
		{"all who sign are waited for", []signer{strips(0, otherGood), signs(20*ms, nxSigned), signs(40*ms, goodSigned)}, 2, Good, 40 * ms},
		{"each for as long as it is worth", []signer{strips(0, otherGood), asks(true, 30*ms), asks(true, 60*ms)}, 0, Good, 60 * ms},
		{"nobody signs", []signer{strips(10*ms, otherGood), strips(20*ms, goodReply), strips(timeout, nil)}, 0, Good, 10 * ms},
		{"another signs that was not known to", []signer{strips(0, otherGood), strips(20*ms, goodSigned), asks(true, worth)}, 1, Good, 20 * ms},
		{"a signature beside the answer is none", []signer{strips(0, signedInExtra), signs(40*ms, goodSigned)}, 1, Good, 40 * ms},

		{"R3: a signed denial before its equal", []signer{strips(0, nxdomain), signs(40*ms, nxSigned)}, 1, NXDomainSOA, 40 * ms},
		{"R3: and after it", []signer{signs(0, nxSigned), strips(40*ms, nxdomain)}, 0, NXDomainSOA, 40 * ms},
		{"R3: signed NODATA", []signer{strips(0, nodata), strips(5*ms, nodata), signs(40*ms, nodataSigned)}, 2, NoDataSOA, 40 * ms},
		{"R3: a signed chain", []signer{strips(0, chain), signs(40*ms, chainSigned)}, 1, NXDomainChain, 40 * ms},
		{"R3: NODATA stays above a denial", []signer{strips(40*ms, nodata), signs(0, nxSigned)}, 0, NoDataSOA, 40 * ms},
		{"R2: an answer above all", []signer{signs(0, nxSigned), strips(40*ms, goodReply)}, 1, Good, 40 * ms},
		{"R3: of equals that are signed the first of the list", []signer{signs(40*ms, nxSigned), signs(0, nxSigned)}, 0, NXDomainSOA, 40 * ms},
	} {
		for _, dnssec := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, DO %v", tc.what, dnssec), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					start := time.Now()
					race := begin(Setup{DNSSEC: dnssec}, len(tc.upstreams), func(i int, leg *Leg) (Exchange, instant.Time) {
						u := tc.upstreams[i]
						leg.Signs(u.known, u.worth)
						return (&script{events: u.events}).ask(leg)
					})
					res := race.Wait(t.Context())
					race.End()
					after := time.Since(start)
					if dnssec && (res.Leg != tc.leg || res.Verdict != tc.verdict || after != tc.after) {
						t.Errorf("leg %d, %v, after %v; want %d, %v, %v", res.Leg, res.Verdict, after, tc.leg, tc.verdict, tc.after)
					}
					if !dnssec { // R2 and R3 alone
						events := make([][]event, len(tc.upstreams))
						for i, u := range tc.upstreams {
							events[i] = u.events
						}
						want, wantAfter, _ := hold(t.Context(), nil, events...)
						if res.Leg != want.Leg || after != wantAfter {
							t.Errorf("leg %d after %v; want %d, %v", res.Leg, after, want.Leg, wantAfter)
						}
					}
					time.Sleep(timeout)
				})
			})
		}
	}
}

// R19: a reply that cannot be read is none; of those left a signed one is the reply.
func TestR19Discard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		scripts := []*script{{events: says(20*ms, goodReply)}, {events: says(10*ms, goodSigned)}, {events: says(30*ms, chainSigned)}, {events: says(20*ms, goodSigned)}}
		r := begin(Setup{DNSSEC: true}, len(scripts), func(i int, leg *Leg) (Exchange, instant.Time) { return scripts[i].ask(leg) })
		defer r.End()
		if res := r.Wait(t.Context()); res.Leg != 1 {
			t.Errorf("leg %d", res.Leg)
		}
		time.Sleep(20 * ms)
		r.Discard(1)
		if res := r.Wait(t.Context()); res.Leg != 3 {
			t.Errorf("leg %d", res.Leg)
		}
	})
}

// R14: with a denial that is final, good answers wait for all who are up, and no longer.
func TestR14Final(t *testing.T) {
	for _, tc := range []struct {
		what      string
		upstreams [][]event
		leg       int
		after     time.Duration
	}{
		{"a denial at once", [][]event{says(10*ms, nxdomain), nil}, 0, 10 * ms},
		{"after an answer", [][]event{says(0, goodReply), says(10*ms, nodata), nil}, 1, 10 * ms},
		{"nobody denies", [][]event{says(30*ms, goodReply), says(10*ms, otherGood)}, 1, 30 * ms},
		{"who is down is not waited for", [][]event{says(10*ms, goodReply), {{20 * ms, nil}}}, 0, 20 * ms},
		{"nor who fails", [][]event{says(10*ms, goodReply), {{20 * ms, errBroken}}}, 0, 20 * ms},
		{"silence ends with the race", [][]event{says(10*ms, goodReply), nil}, 0, timeout},
		{"an error is no denial", [][]event{says(0, goodReply), says(10*ms, servfail), says(20*ms, refused), says(30*ms, referral)}, 0, 30 * ms},
		{"nor is what is cut short", [][]event{says(0, truncated), says(10*ms, nxdomain)}, 1, 10 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := begin(Setup{Final: true}, len(tc.upstreams), func(i int, leg *Leg) (Exchange, instant.Time) {
					return (&script{events: tc.upstreams[i]}).ask(leg)
				})
				defer r.End()
				res := r.Wait(t.Context())
				if after := time.Since(start); res.Leg != tc.leg || after != tc.after || !res.Conclusive() {
					t.Errorf("leg %d after %v, conclusive %v; want %d, %v", res.Leg, after, res.Conclusive(), tc.leg, tc.after)
				}
				time.Sleep(timeout)
			})
		})
	}
}

// A bogus reply gives way to another of the same upstream while the race goes on; it is
// waited for by nobody.
func TestBogusGivesWay(t *testing.T) {
	bogus := reply(dns.RcodeSuccess, false, answer("host.example. 60 IN A 203.0.113.7"))
	for _, tc := range []struct {
		what      string
		upstreams [][]event
		leg       int
		verdict   Verdict
		after     time.Duration
	}{
		{"to an answer", [][]event{{{0, bogus}, {20 * ms, goodReply}}, says(60*ms, nxdomain)}, 0, Good, 20 * ms},
		{"after another bogus one", [][]event{{{0, bogus}, {10 * ms, bogus}, {20 * ms, goodReply}}, says(60*ms, nxdomain)}, 0, Good, 20 * ms},
		{"to a denial", [][]event{{{0, bogus}, {20 * ms, nodata}}, says(60*ms, nxdomain)}, 0, NoDataSOA, 60 * ms},
		{"only until the others have replied", [][]event{{{0, bogus}, {20 * ms, goodReply}}, says(10*ms, nxdomain)}, 1, NXDomainSOA, 10 * ms},
		{"if there are others", [][]event{{{0, bogus}, {20 * ms, goodReply}}}, 0, Bogus, 0},
		{"not to a failure", [][]event{{{0, bogus}, {20 * ms, errBroken}}, says(60*ms, refused)}, 1, Refused, 60 * ms},
		{"not to silence", [][]event{{{0, bogus}, {20 * ms, nil}}, {{60 * ms, errBroken}}}, 0, Bogus, 60 * ms},
		{"another reply gives way to none", [][]event{{{0, nxdomain}, {20 * ms, goodReply}}, says(60*ms, nxdomain)}, 0, NXDomainSOA, 60 * ms},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				r := begin(Setup{Rules: Rules{Policy: bogusPolicy}}, len(tc.upstreams), func(i int, leg *Leg) (Exchange, instant.Time) {
					return (&script{events: tc.upstreams[i]}).ask(leg)
				})
				defer r.End()
				res := r.Wait(t.Context())
				if after := time.Since(start); res.Leg != tc.leg || res.Verdict != tc.verdict || after != tc.after {
					t.Errorf("leg %d, %v, after %v; want %d, %v, %v", res.Leg, res.Verdict, after, tc.leg, tc.verdict, tc.after)
				}
				time.Sleep(timeout)
			})
		})
	}
}
