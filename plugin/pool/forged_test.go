package pool

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// R9: where one upstream's replies may be forged, the others' denial is not given; a good answer
// is.
func TestR9ForgedAndDenied(t *testing.T) {
	const name = "wiki.corp.example."
	msg := pack(t, name, dns.TypeA)
	forged := doing{after: 20 * time.Millisecond, err: fmt.Errorf("over UDP: %w", upstream.ErrForged)}
	says := func(rcode int, address string) doing {
		return doing{after: 10 * time.Millisecond, reply: replyTo(msg, rcode, address)}
	}
	for _, tc := range []struct {
		what   string
		do     []doing
		want   race.Verdict
		forged bool
	}{
		{"NXDOMAIN", []doing{says(dns.RcodeNameError, ""), forged}, race.ServFail, true},
		{"NODATA", []doing{forged, says(dns.RcodeSuccess, "")}, race.ServFail, true},
		{"both, and a failure", []doing{forged, says(dns.RcodeSuccess, ""), says(dns.RcodeNameError, ""), {err: errors.New("broken")}}, race.ServFail, true},
		{"a good answer", []doing{forged, says(dns.RcodeSuccess, "10.1.2.3"), says(dns.RcodeNameError, "")}, race.Good, false},
		{"a late good answer", []doing{forged, {after: time.Second, reply: replyTo(msg, dns.RcodeSuccess, "10.1.2.3")}, says(dns.RcodeNameError, "")}, race.Good, false},
		{"another failure", []doing{says(dns.RcodeNameError, ""), {after: time.Millisecond, err: errors.New("broken")}}, race.NXDomainSOA, false},
		{"a failure alone", []doing{forged}, race.None, false},
		{"SERVFAIL", []doing{forged, says(dns.RcodeServerFailure, "")}, race.ServFail, false},
	} {
		for _, proven := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				s := learning(len(tc.do))
				want, forged := tc.want, tc.forged
				if proven { // by an answer for another type
					other := pack(t, name, dns.TypeAAAA)
					s.names.Replied(other[12:], len(tc.do)-1, race.Good, replyTo(other, dns.RcodeSuccess, "fd00::1"), time.Now())
					forged = false
				}
				c, _, _ := s.hold(t, msg, tc.do)
				if c.Forged != forged || !proven && (c.Verdict != want || forged && c.Leg >= 0) {
					t.Errorf("%s, proven %v: %v, leg %d, forged %v (%v)", tc.what, proven, c.Verdict, c.Leg, c.Forged, c.Errs)
				}
				if proven && tc.forged && (c.Verdict == race.ServFail || c.Conclusive()) {
					t.Errorf("%s, proven: %v, %v", tc.what, c.Verdict, c.Errs)
				}
				time.Sleep(10 * time.Second)
			})
		}
	}
}
