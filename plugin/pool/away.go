package pool

import (
	"errors"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// away turns a denial into a failure (R18), and reports that, if the only upstream that knows
// the zone gave no opinion because of such an error.
func (c *call) away(now time.Time, such func(error) bool) bool {
	switch c.Verdict {
	case race.NXDomain, race.NXDomainSOA, race.NoData, race.NoDataSOA:
	default:
		return false
	}
	if !c.set.cfg.Away || len(c.Errs) == 0 {
		return false
	}
	knower := c.set.zones.Standing(c.question, now).Lately.Sole()
	if knower < 0 || !such(c.Errs[knower]) {
		return false
	}
	errs := make([]error, len(c.Errs))
	errs[knower] = c.Errs[knower]
	c.Result.Result = race.Result{Leg: -1, Verdict: race.ServFail, Errs: errs}
	return true
}

// unreachable reports whether an upstream is down or cannot be reached, rather than has
// replied, or has not replied to this query alone.
func unreachable(err error) bool { return errors.Is(err, race.ErrDown) || race.NetworkFailed(err) }

// silent reports whether an upstream did not reply in time, or never replies in this zone.
func silent(err error) bool {
	return errors.Is(err, race.ErrSilent) || errors.Is(err, race.ErrUnresponsiveIn)
}
