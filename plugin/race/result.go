package race

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// What becomes of a leg besides errors of its exchange.
var (
	ErrServFail     = errors.New("SERVFAIL")
	ErrRefused      = errors.New("REFUSED")
	ErrTruncated    = errors.New("truncated reply, and the whole cannot be had")
	ErrReferral     = errors.New("referral")
	ErrUnable       = errors.New("query not understood")
	ErrSilent       = errors.New("no reply in time")
	ErrUnasked      = errors.New("not asked yet")
	ErrDown         = errors.New("no reply in time, nor to other queries")
	ErrUnresponsive = errors.New("no reply to questions of this type")
	ErrUnreadable   = errors.New("reply that cannot be unpacked")
)

// Result is how a race ended.
type Result struct {
	Leg     int     // whose reply is given, by index; -1 if there is none
	Verdict Verdict // of that reply
	Msg     []byte  // that reply

	// Errs says why each leg gave no opinion of the name asked for (R7); it is nil
	// for one that did. It is empty if the reply is good or a denial that is final, for
	// then nobody asks.
	Errs []error
}

// Conclusive reports whether every upstream gave its opinion, or one a good
// answer.
func (r Result) Conclusive() bool {
	for _, err := range r.Errs {
		if err != nil {
			return false
		}
	}
	return true
}

// Inconclusive reports whether the reply is a denial, a referral or bogus, and some
// upstream gave no opinion (R7). Caches keep such replies.
func (r Result) Inconclusive() bool {
	return (r.Verdict.Negative() || r.Verdict == Referral || r.Verdict == Bogus) && !r.Conclusive()
}

// resultLocked describes the end of the race, with the reply of leg i or none.
func (r *Race) resultLocked(i int) Result {
	res := Result{Leg: i}
	if i >= 0 {
		res.Verdict, res.Msg = r.legs[i].verdict, r.legs[i].msg
	}
	if res.Verdict == Good || r.good != nil || r.filter != nil || r.rules.Final && res.Verdict.Negative() {
		return res // nobody else would change it
	}
	res.Errs = make([]error, len(r.legs))
	for j := range r.legs {
		res.Errs[j] = r.legs[j].noOpinionLocked()
	}
	return res
}

// noOpinionLocked is why the leg says nothing of the name, or nil if it does.
func (l *Leg) noOpinionLocked() error {
	switch {
	case l.state == waiting:
		return ErrSilent
	case l.state == unasked && l.race.finalLocked(): // it has denied the name
		return nil
	case l.state == unasked:
		return ErrUnasked
	case l.unresponsive && l.state == down:
		return ErrUnresponsive
	case l.state == down:
		return ErrDown
	case l.state == failed:
		return l.err
	case l.verdict == ServFail:
		return because(ErrServFail, l.msg)
	case l.verdict == Refused: // it speaks of the client, or of its own load (RFC 9520, section 2.2)
		return because(ErrRefused, l.msg)
	case l.verdict == Truncated: // it has an answer, which nobody gets to see
		return ErrTruncated
	case l.verdict == Referral:
		return ErrReferral
	case l.verdict == Error: // it speaks of the query, not of the name
		return ErrUnable
	}
	return nil
}

// because adds to err what the reply itself says of its cause.
func because(err error, reply []byte) error {
	if why := wire.ExtendedErrorText(reply); why != "" {
		return fmt.Errorf("%w: %s", err, why)
	}
	return err
}

// LegReport is what has become of a leg so far.
type LegReport struct {
	Verdict      Verdict       // of the reply; None: there is none
	Msg          []byte        // the reply
	Stream       bool          // it came over a stream, not over UDP
	Err          error         // why there is no reply; nil: it may still come
	At           time.Time     // of the reply or the failure; zero: nothing has come yet
	After        time.Duration // the same, from the race's beginning
	Down         bool          // its upstream does not talk at present
	Unresponsive bool          // its upstream never answers questions of this type
	Late         bool          // the race was decided without it
	Asked        time.Time     // when its upstream was
	Unasked      bool          // its turn has not come
}

// Open reports whether something may yet come of the leg.
func (l LegReport) Open() bool { return l.At.IsZero() }

// Legs tells what has become of each leg so far. It must not be called after End.
func (r *Race) Legs() []LegReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]LegReport, len(r.legs))
	for i := range r.legs {
		l := &r.legs[i]
		all[i] = LegReport{Verdict: l.verdict, Msg: l.msg, Stream: l.stream, Err: l.err, At: l.at, Down: l.state == down && !l.unresponsive, Unresponsive: l.unresponsive, Late: l.late, Asked: r.askedAt(i), Unasked: l.state == unasked}
		if !l.at.IsZero() {
			all[i].After = l.at.Sub(r.begun)
		}
		if l.state == failed {
			all[i].Verdict, all[i].Msg = None, nil
		}
	}
	return all
}

// Reply is what a leg has brought so far, and what that is worth; None if there is
// nothing. It must not be called after End.
func (r *Race) Reply(leg int) (Verdict, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := &r.legs[leg]
	if l.state != replied {
		return None, nil
	}
	return l.verdict, l.msg
}

// Begun is when all were asked.
func (r *Race) Begun() time.Time { return r.begun }

// CapTTL cuts the times that caches may keep an inconclusive reply (R7): a denial
// lives as long as its SOA does (RFC 2308, section 5).
func CapTTL(reply *dns.Msg, most time.Duration) {
	for _, section := range [][]dns.RR{reply.Answer, reply.Ns} {
		for _, rr := range section {
			rr.Header().Ttl = min(rr.Header().Ttl, uint32(most/time.Second))
		}
	}
}
