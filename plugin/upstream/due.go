package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
)

// Times at which something is due; zero means never.

// isDue reports whether a time that is not zero has come.
func isDue(at, now instant.Time) bool { return !at.IsZero() && !now.Before(at) }

// earliest is the first of those times that are not zero, or zero.
func earliest(times ...instant.Time) (first instant.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func later(a, b instant.Time) instant.Time {
	if a.After(b) {
		return a
	}
	return b
}

// tidySoonLocked makes sure that tidy is called within a second.
func (u *Upstream) tidySoonLocked(now instant.Time) {
	if u.tidyDue.IsZero() || u.tidyDue.Sub(now) > tidyEvery {
		u.planTidyLocked(now, now)
	}
}

// planTidyLocked has tidy called at a whole second after now, from the time on at which
// something is due; zero: nothing is.
func (u *Upstream) planTidyLocked(due, now instant.Time) {
	if u.tidyDue = instant.Never; !due.IsZero() {
		u.tidyDue = instant.WholeSecond(max(due, now+1))
	}
	u.cfg.Tidier.set(u, u.tidyDue)
}
