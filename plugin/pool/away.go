package pool

import (
	"errors"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// away makes a denial a failure if the only upstream that knows the zone is away, as is
// told by why it gave no opinion (R18). It reports whether it is.
func (c *call) away(now time.Time, is func(error) bool) bool {
	switch c.Verdict {
	case race.NXDomain, race.NXDomainSOA, race.NoData, race.NoDataSOA:
	default:
		return false
	}
	if !c.set.cfg.Away || len(c.Errs) == 0 {
		return false
	}
	knower := c.set.zones.Standing(c.question, now).Lately.Sole()
	if knower < 0 || !is(c.Errs[knower]) {
		return false
	}
	errs := make([]error, len(c.Errs))
	errs[knower] = c.Errs[knower]
	c.Result.Result = race.Result{Leg: -1, Verdict: race.ServFail, Errs: errs}
	return true
}

// unreachable reports whether an upstream is down, or cannot be reached. What it said
// itself, or leaves unanswered while it answers others, is not that.
func unreachable(err error) bool { return errors.Is(err, race.ErrDown) || race.NetworkFailed(err) }

// silent reports whether an upstream said nothing to the end.
func silent(err error) bool { return errors.Is(err, race.ErrSilent) }
