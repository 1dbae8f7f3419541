package race

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

var (
	bareAlias    = reply(dns.RcodeSuccess, false, answer("host.example. 60 IN CNAME real.example."))
	servfailHalf = reply(dns.RcodeServerFailure, false, answer("host.example. 60 IN CNAME real.example."))
	refusedHalf  = reply(dns.RcodeRefused, false, answer("host.example. 60 IN CNAME real.example."))
)

// R23: an alias is waited for until something has come of its end, and that is what its leg
// is worth then; another's good answer wins meanwhile.
func TestR23Aliases(t *testing.T) {
	end := func(after time.Duration, msg []byte, v Verdict, err error) func(*Leg) {
		return func(leg *Leg) {
			do := func() { leg.Followed(msg, v, err) }
			if after == 0 {
				do()
			} else {
				time.AfterFunc(after, do)
			}
		}
	}
	found, gone := wholeAlias, chain
	policy := Policy{Bogus: bogusPolicy.Bogus}
	bogusEnd := reply(dns.RcodeSuccess, false, answer(rrCNAME), answer(rrBadA))
	for _, tc := range []struct {
		what      string
		setup     Setup
		upstreams [][]event
		end       func(*Leg)
		leg       int
		verdict   Verdict
		after     time.Duration
		own       []byte // what its upstream has said
		asked     int    // ends asked for
	}{
		{"its end is found", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nxdomain)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, bareAlias, 1},
		{"at once", Setup{}, [][]event{says(0, bareAlias), says(2*ms, nxdomain)}, end(0, found, Good, nil), 0, Good, 0, bareAlias, 1},
		{"another answers sooner", Setup{}, [][]event{says(ms, bareAlias), says(5*ms, goodReply)}, end(9*ms, found, Good, nil), 1, Good, 5 * ms, goodReply, 1},
		{"another answers later", Setup{}, [][]event{says(ms, bareAlias), says(15*ms, goodReply)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, bareAlias, 1},
		{"it has answered before", Setup{}, [][]event{says(3*ms, bareAlias), says(ms, goodReply)}, end(0, found, Good, nil), 1, Good, ms, goodReply, 0},
		{"the other denies, after the end was found", Setup{}, [][]event{says(ms, bareAlias), nil}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, bareAlias, 1},
		{"NXDOMAIN with an alias", Setup{}, [][]event{says(ms, chain), says(2*ms, nxdomain)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, chain, 1},
		{"SERVFAIL with one", Setup{}, [][]event{says(ms, servfailHalf), says(2*ms, nxdomain)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, servfailHalf, 1},
		{"REFUSED with one", Setup{}, [][]event{says(ms, refusedHalf), says(2*ms, nxdomain)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, refusedHalf, 1},
		{"the end is denied", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nxdomain)}, end(9*ms, gone, NXDomainChain, nil), 0, NXDomainChain, 10 * ms, bareAlias, 1},
		{"it is, and others are waited for", Setup{}, [][]event{says(ms, bareAlias), says(50*ms, nxdomain)}, end(9*ms, gone, NXDomainChain, nil), 0, NXDomainChain, 50 * ms, bareAlias, 1},
		{"it is, and another answers", Setup{}, [][]event{says(ms, bareAlias), says(50*ms, goodReply)}, end(9*ms, gone, NXDomainChain, nil), 1, Good, 50 * ms, goodReply, 1},
		{"the end fails, which is no denial", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nodata)}, end(9*ms, nil, None, errBroken), 0, Broken, 10 * ms, bareAlias, 1},
		{"it fails, and another answers", Setup{}, [][]event{says(ms, bareAlias), says(50*ms, goodReply)}, end(9*ms, nil, None, errBroken), 1, Good, 50 * ms, goodReply, 1},
		{"nothing comes of it", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nodata)}, func(*Leg) {}, 0, Broken, timeout, bareAlias, 1},
		{"it comes too late", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nodata)}, end(2*timeout, found, Good, nil), 0, Broken, timeout, bareAlias, 1},
		{"two have the alias", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, bareAlias)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, bareAlias, 2},
		{"it is left as it came", Setup{}, [][]event{says(ms, bareAlias), says(2*ms, nxdomain)}, nil, 0, Alias, ms, bareAlias, 1},
		{"NXDOMAIN is", Setup{}, [][]event{says(ms, chain), says(5*ms, nxdomain)}, nil, 0, NXDomainChain, 5 * ms, chain, 1},
		{"SERVFAIL is", Setup{}, [][]event{says(ms, servfailHalf), says(5*ms, refused)}, nil, 0, ServFail, 5 * ms, servfailHalf, 1},
		{"the client follows it itself", Setup{DNSSEC: true}, [][]event{says(ms, bareAlias), says(5*ms, goodReply)}, nil, 0, Alias, ms, bareAlias, 0},
		{"the client needs an answer, and asks for ends itself", Setup{Answers: true}, [][]event{says(ms, bareAlias), says(5*ms, goodReply)}, nil, 1, Good, 5 * ms, goodReply, 0},
		{"R14: one denial is final, even at an end", Setup{Final: true}, [][]event{says(ms, chain), says(5*ms, goodReply)}, end(0, found, Good, nil), 0, NXDomainChain, ms, chain, 0},
		{"R14: a bare alias is none", Setup{Final: true}, [][]event{says(ms, bareAlias), says(5*ms, goodReply)}, end(9*ms, gone, NXDomainChain, nil), 0, NXDomainChain, 10 * ms, bareAlias, 1},
		{"the end is bogus to who has the alias", Setup{Rules: Rules{Policy: policy}}, [][]event{says(ms, bareAlias), says(50*ms, nxdomain)}, end(9*ms, bogusEnd, Good, nil), 1, NXDomainSOA, 50 * ms, nxdomain, 1},
		{"R16: the others are not asked", Setup{Plan: Plan{Alone: true, Hedge: 100 * ms}}, [][]event{says(ms, bareAlias), says(0, nxdomain)}, end(9*ms, found, Good, nil), 0, Good, 10 * ms, bareAlias, 1},
		{"R16: they are when it is denied", Setup{Plan: Plan{Alone: true, Hedge: 100 * ms}}, [][]event{says(ms, bareAlias), says(ms, goodReply)}, end(9*ms, gone, NXDomainChain, nil), 1, Good, 11 * ms, goodReply, 1},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scripts, ends := make([]*script, len(tc.upstreams)), 0
				a := finder{func(i int, leg *Leg) (Exchange, instant.Time) {
					scripts[i] = &script{events: tc.upstreams[i]}
					return scripts[i].ask(leg)
				}, func(i int, leg *Leg, msg []byte) bool {
					if ends++; tc.end == nil {
						return false
					}
					tc.end(leg)
					return true
				}}
				tc.setup.Timeout, tc.setup.Watched = timeout, true
				tc.setup.Aliases = !tc.setup.Answers
				start := time.Now()
				r := new(Race)
				*r.Setup() = tc.setup
				r.Begin(nil, len(tc.upstreams), a)
				res := r.Wait(t.Context())
				if res.Leg != tc.leg || res.Verdict != tc.verdict || time.Since(start) != tc.after || ends != tc.asked {
					t.Errorf("leg %d, %v after %v, %v; %d ends were asked for", res.Leg, res.Verdict, time.Since(start), res.Errs, ends)
				}
				if tc.verdict == Broken && (res.Conclusive() || NetworkFailed(res.Errs[0]) != errors.Is(res.Errs[0], errBroken)) {
					t.Errorf("errors are %v", res.Errs)
				}
				if _, own := r.Reply(res.Leg); string(own) != string(tc.own) {
					t.Errorf("its upstream has said % x", own)
				}
				r.End()
				time.Sleep(3 * timeout) // what comes after the end changes nothing
			})
		})
	}
}

// A race that goes on without its winner, which could not be read, has what came of ends
// meanwhile.
func TestR23Discarded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var aliasLeg *Leg
		r := new(Race)
		*r.Setup() = Setup{Aliases: true, Watched: true, Rules: Rules{Timeout: timeout}}
		r.Begin(nil, 2, finder{func(i int, leg *Leg) (Exchange, instant.Time) {
			return (&script{events: says([]time.Duration{ms, 5 * ms}[i], [][]byte{bareAlias, goodReply}[i])}).ask(leg)
		}, func(_ int, leg *Leg, _ []byte) bool { aliasLeg = leg; return true }})
		defer r.End()
		if res := r.Wait(t.Context()); res.Leg != 1 {
			t.Fatalf("leg %d", res.Leg)
		}
		aliasLeg.Followed(wholeAlias, Good, nil)
		r.Discard(1)
		if res := r.Wait(t.Context()); res.Leg != 0 || res.Verdict != Good || string(res.Msg) != string(wholeAlias) {
			t.Errorf("leg %d, %v", res.Leg, res.Verdict)
		}
	})
}
