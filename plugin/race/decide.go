package race

import "time"

// decision is what decide returns.
type decision struct {
	over   bool
	winner int  // the leg whose reply is given to the client; -1: none
	sure   bool // whatever the other legs reply, the winner stays the same
	final  bool // those that have not replied need not, unless they have come since

	// If it is not over.
	ask    bool          // the legs that were put off are to be asked now
	some   bool          // only those that NODATA waits for
	follow bool          // the ends of aliases are to be asked for now
	look   bool          // NODATA is to be looked at now
	again  time.Duration // when to decide again, if nothing happens before
}

// decide says whether a race is over, and which leg has won it. All rules about that are here;
// their numbers are those of DESIGN.md.
func decide(s *state, now time.Duration) decision {
	t := s.tally()
	d := s.decide(&t, now)
	d.follow = t.aliased && !d.over // R23
	return d
}

func (s *state) decide(t *tally, now time.Duration) decision {
	won := t.filtered >= 0 || t.good >= 0 && !s.Final
	switch {
	case s.cancelled:
	case s.Final && t.denied: // R14
	case t.unlooked && !won:
		return decision{winner: -1, look: true}
	case t.noData && !won && s.typeDenied() >= 0: // R4
		leg := s.typeDenied()
		switch until, ask := s.typeUntil(leg); {
		case ask:
			return decision{winner: -1, ask: true, some: true}
		case now < until && now < s.deadline:
			return s.waitUntil(until)
		}
		return decision{over: true, winner: leg, final: true}
	case t.unasked && !won && !s.denialKnown(): // R16
		until := s.putOffTo()
		if !s.firstOpen() || now >= until {
			return decision{winner: -1, ask: true}
		}
		return s.waitUntil(until)
	case now >= s.deadline && !t.unasked: // R4
	case !won:
		if until := s.othersUntil(t); now < until { // R4, R5, R14
			return s.waitUntil(until)
		}
	case t.good < 0: // R4: a filter's reply
	case s.Prefer != nil:
		if until := s.betterUntil(s.legs[t.good].at); now < until { // R17
			return s.waitUntil(until)
		}
	default: // R2
		if until := s.signedUntil(t); now < until { // R19
			return s.waitUntil(until)
		}
	}
	return s.end(t)
}

// overdue reports whether the race has had its time.
func (s *state) overdue(now time.Duration) bool { return now >= s.deadline && !s.tally().unasked }

// waitUntil is the decision to wait until that time, but not beyond the deadline.
func (s *state) waitUntil(until time.Duration) decision {
	return decision{winner: -1, again: min(until, s.deadline)}
}

// end is the decision that the race is over.
func (s *state) end(t *tally) decision {
	switch {
	case s.Final && t.denied: // R14
		return decision{over: true, winner: s.best(true), sure: true}
	case t.good >= 0 && s.Prefer != nil: // R17
		best, _ := s.preferred()
		return decision{over: true, winner: best, sure: true}
	case t.good >= 0: // R2
		return decision{over: true, winner: t.good, sure: true}
	case t.filtered >= 0: // R4
		return decision{over: true, winner: t.filtered, sure: true}
	}
	return decision{over: true, winner: s.best(false)} // R3
}

// tally sums up the legs.
type tally struct {
	waiting, down, unasked, replied bool // there is a leg with this status
	aliased                         bool // there is an alias whose end is to be asked for
	denied                          bool // a reply denies the name or the type
	noData                          bool // a reply is NODATA with SOA, and it counts if others of the name are answers
	unlooked                        bool // and it was not looked at

	good     int // the leg with the first good reply, or with the first that is signed if there is one; -1: none
	filtered int // the leg with the first reply of a filter, which is not counted as good; -1: none
}

func (s *state) tally() tally {
	t := tally{good: -1, filtered: -1}
	for i := range s.legs {
		l := &s.legs[i]
		switch l.status {
		case waiting, following:
			t.waiting = true
		case aliased:
			t.waiting, t.aliased = true, true
		case down:
			t.down = true
		case unasked:
			t.unasked = true
		case replied:
			t.replied = true
			t.denied = t.denied || l.verdict.Negative()
			if l.verdict == NoDataSOA && s.Others != nil {
				t.noData, t.unlooked = true, t.unlooked || l.other == nil
			}
			switch {
			case l.filtered:
				if t.filtered < 0 || l.at < s.legs[t.filtered].at {
					t.filtered = i
				}
			case l.verdict.Wins():
				if t.good < 0 || l.goodBefore(&s.legs[t.good]) {
					t.good = i
				}
			}
		}
	}
	return t
}

// goodBefore reports whether l's good reply is given rather than other's (R2, R19).
func (l *legState) goodBefore(other *legState) bool {
	if l.signed != other.signed {
		return l.signed
	}
	if l.verdict != other.verdict {
		return l.verdict > other.verdict
	}
	return l.at < other.at
}

// best is the leg with the best reply, of all or of the denials only; -1: none. Of equal replies
// it is the first in the list or, with DO, the first that is signed (R3).
func (s *state) best(denials bool) int {
	best, most := -1, 0
	for i := range s.legs {
		l := &s.legs[i]
		verdict, ok := l.final()
		if !ok || denials && !verdict.Negative() {
			continue
		}
		rank := 2 * int(verdict)
		if l.signed {
			rank++
		}
		if best < 0 || rank > most {
			best, most = i, rank
		}
	}
	return best
}

// final is the verdict on a leg's reply when the race is over, if there is a reply. What
// nothing was heard of until then is the end of an alias in vain.
func (l *legState) final() (v Verdict, ok bool) {
	if l.status == aliased || l.status == following {
		return Broken, true
	}
	return l.verdict, l.status == replied
}

// denialKnown reports whether the plan's first leg has replied NODATA, and that is enough
// because all others have lately denied the name (R16).
func (s *state) denialKnown() bool {
	if !s.Plan.Final {
		return false
	}
	first := &s.legs[s.Plan.First]
	return first.status == replied && first.verdict == NoDataSOA
}

// putOffTo is when the legs that were put off are asked at the latest: after the hedge, or,
// if the first has an alias, when its end has taken long.
func (s *state) putOffTo() time.Duration {
	if first := s.legs[s.Plan.First].status; first == aliased || first == following {
		return max(s.hedgeEnds, s.Timeout/4)
	}
	return s.hedgeEnds
}

// firstOpen reports whether the plan's first leg may still end the race: it has not replied, or
// with NODATA that a race for another type of the name may show to be enough.
func (s *state) firstOpen() bool {
	first := &s.legs[s.Plan.First]
	return first.pending() || s.beside && first.status == replied && first.verdict == NoDataSOA
}

// othersUntil is how long a race without a good reply waits for legs that have not replied
// (R4); 0: not at all. Legs that are down are waited for in two cases: no leg has replied, and
// all that have not failed are down (R5); or the plan has put them off. Had they been asked
// at once, they would have had as long as the slowest of the others took, so they get it now.
func (s *state) othersUntil(t *tally) time.Duration {
	switch {
	case t.waiting:
		return s.deadline
	case !t.down:
		return 0
	case !t.replied:
		return s.deadline
	case !s.Plan.Alone:
		return 0
	}
	longest := s.firstDone
	for i := range s.legs {
		if l := &s.legs[i]; l.status == replied || l.status == failed {
			longest = max(longest, l.at-l.asked)
		}
	}
	return s.putOffUntil + longest
}

// signedUntil is how long a good answer without signature waits for upstreams that are known
// to sign (R19); 0: not at all.
func (s *state) signedUntil(t *tally) (until time.Duration) {
	good := &s.legs[t.good]
	if !s.DNSSEC || !t.waiting || good.signed || good.signs {
		return 0
	}
	for i := range s.legs {
		if l := &s.legs[i]; l.status == waiting && !l.doubtful && l.signWait > 0 {
			until = max(until, good.at+l.signWait)
		}
	}
	return until
}
