package race

import (
	"fmt"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Result is how a race ended.
type Result struct {
	Leg     int     // whose reply is given, by index; -1 if there is none
	Verdict Verdict // of that reply
	Msg     []byte  // that reply

	// Filtered says that it is a filter's, and that this has ended the race; Final that it is a
	// denial of the type which did not wait for all others (R4).
	Filtered, Final bool

	// Errs says why each leg gave no opinion of the name asked for (R7); nil for one that
	// did. It is empty if the reply is good or a denial that is final, for then it is not
	// needed.
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

// Inconclusive reports whether the reply is a denial, a referral or bogus, which caches
// keep, though some upstream gave no opinion (R7).
func (r Result) Inconclusive() bool {
	return (r.Verdict.Negative() || r.Verdict == Referral || r.Verdict.IsBogus()) && !r.Conclusive()
}

// result describes the end of a race.
func (s *state) result(d decision) Result {
	res := Result{Leg: d.winner, Final: d.final}
	if d.winner >= 0 {
		res.Filtered = s.legs[d.winner].filtered
		res.Verdict, _ = s.legs[d.winner].final()
		res.Msg = s.legs[d.winner].msg
	}
	if res.Verdict == Untrusted {
		res.Leg, res.Msg = -1, nil
	}
	if d.sure {
		return res
	}
	res.Errs = make([]error, len(s.legs))
	for i := range s.legs {
		if l := &s.legs[i]; !d.final || !l.pending() && l.status != unasked {
			res.Errs[i] = s.noOpinion(i)
		}
	}
	return res
}

// noOpinion is why a leg gives no opinion of the name; nil if it does.
func (s *state) noOpinion(leg int) error {
	l := &s.legs[leg]
	switch l.status {
	case waiting:
		return ErrSilent
	case unasked:
		if s.denialKnown() {
			return nil
		}
		return ErrUnasked
	case down:
		if l.unresponsive() {
			return l.err
		}
		return ErrDown
	case failed:
		return l.err
	case aliased, following:
		return ErrEndSilent
	}
	switch l.verdict {
	case Broken:
		return l.err
	case ServFail:
		return because(ErrServFail, l.msg)
	case Refused: // that is about the client, or about load (RFC 9520, section 2.2)
		return because(ErrRefused, l.msg)
	case Truncated: // there is an answer, but it cannot be had
		return ErrTruncated
	case Referral:
		return ErrReferral
	case Error: // that is about the query, not about the name
		return ErrUnable
	}
	return nil
}

// because adds to err the cause that the reply itself gives.
func because(err error, reply []byte) error {
	if why := wire.ExtendedErrorText(reply); why != "" {
		return printable.Error(fmt.Errorf("%w: %s", err, why))
	}
	return err
}
