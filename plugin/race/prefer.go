package race

import "time"

// expected is what is expected of a leg.
func (s *state) expected(leg int) Expectation {
	e := s.Prefer.expected(leg)
	if leg+1 == s.view {
		e.Rank, e.Differs = ViewRank, true
	}
	return e
}

// preferred is the leg with the best answer so far, and its rank; -1: none.
func (s *state) preferred() (best, rank int) {
	best = -1
	for i := range s.legs {
		r, ok := s.preference(i)
		if ok && (best < 0 || r < rank || r == rank && s.legs[i].at < s.legs[best].at) {
			best, rank = i, r
		}
	}
	return best, rank
}

// preference is the rank of a leg's answer, if there is one.
func (s *state) preference(i int) (rank int, ok bool) {
	l, expected := &s.legs[i], s.expected(i)
	noRecord := l.verdict == NoDataSOA || l.verdict == NoData && expected.Rank == ViewRank
	switch {
	case l.status != replied:
		return 0, false
	case noRecord && expected.Differs:
		return expected.Rank, true
	case !l.verdict.Wins():
		return 0, false
	case expected.Rank == ViewRank:
		return ViewRank, true
	case !s.Prefer.Private:
		return OrderRank(i), true
	case l.private, !l.addressed && expected.Differs && expected.Rank == PrivateRank:
		return PrivateRank, true
	}
	return PublicRank, true
}

// betterUntil is how long the answers so far, the first of which came at that time, wait for
// a better one; 0: not at all, for none is expected.
func (s *state) betterUntil(first time.Duration) (until time.Duration) {
	_, rank := s.preferred()
	for i := range s.legs {
		l, expected := &s.legs[i], s.expected(i)
		if l.awaited() && expected.Rank < rank {
			until = max(until, first+s.Prefer.Grace, l.asked+expected.Wait)
		}
	}
	return until
}

// Contested reports whether the answer of a leg that has won would not be given, if the other
// types of the name came from another upstream: from one that was expected to have a better
// answer, and knows the name but not the type, or has not replied.
func (r *Race) Contested(leg int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.state
	if s.Prefer == nil || s.legs[leg].verdict != Good {
		return false
	}
	_, rank := s.preferred()
	for i := range s.legs {
		l := &s.legs[i]
		if i != leg && s.expected(i).Rank < rank && (l.awaited() || l.status == replied && (l.verdict == NoDataSOA || l.verdict == NoData)) {
			return true
		}
	}
	return false
}

// View has a race that was decided go on for what that leg says: the other types of the name
// come from its upstream (R17).
func (r *Race) View(leg int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.view = leg + 1
	r.goOnLocked()
}
