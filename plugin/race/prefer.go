package race

import "time"

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
	l, prefer := &s.legs[i], s.Prefer
	expected := prefer.expected(i)
	noRecord := l.verdict == NoDataSOA
	switch {
	case l.status != replied:
		return 0, false
	case noRecord && expected.Differs:
		return expected.Rank, true
	case !l.verdict.Wins():
		return 0, false
	case expected.Rank == ViewRank:
		return ViewRank, true
	case !prefer.Private:
		return OrderRank(i), true
	case l.private, !l.addressed && expected.Differs && expected.Rank == PrivateRank:
		return PrivateRank, true
	}
	return PublicRank, true
}

// betterUntil is how long the answers so far, the first of which came at that time, wait for
// a better one; 0: not at all, for none is expected.
func (s *state) betterUntil(first time.Duration) time.Duration {
	_, rank := s.preferred()
	for i := range s.legs {
		if s.legs[i].pending() && s.Prefer.expected(i).Rank < rank {
			return first + s.Prefer.Grace
		}
	}
	return 0
}
