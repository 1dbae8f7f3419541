package race

import "time"

// typeDenied is the leg whose NODATA is enough without an opinion of all others, because its
// upstream has answered another type of the name: that of the only knower of the zone if it has
// one, or else the first; -1: none. A truncated reply is better: there is an answer.
func (s *state) typeDenied() int {
	found := -1
	for i := range s.legs {
		l := &s.legs[i]
		switch {
		case l.status != replied:
		case l.verdict > NoDataSOA:
			return -1
		case l.verdict != NoDataSOA || l.other == nil || !l.other.Answered:
		case found < 0, l.other.Sole && !s.legs[found].other.Sole, l.other.Sole == s.legs[found].other.Sole && l.at < s.legs[found].at:
			found = i
		}
	}
	return found
}

// typeWait is how long the NODATA of a leg waits for another, as [OtherType] says.
func (s *state) typeWait(leg, other int) time.Duration {
	o := s.legs[other].other
	switch {
	case o == nil:
		return 0
	case s.legs[leg].other.Sole && o.Most > 0:
		return -1
	}
	return o.Most
}

// typeUntil is how long the NODATA of that leg waits for others, and whether those that were
// put off are to be asked for that.
func (s *state) typeUntil(leg int) (until time.Duration, ask bool) {
	for i := range s.legs {
		l, most := &s.legs[i], s.typeWait(leg, i)
		switch {
		case most < 0:
		case l.status == unasked:
			ask = true
		case !l.pending():
		case most == 0:
			until = s.deadline
		default:
			until = max(until, l.asked+most)
		}
	}
	return until, ask
}

// lookAtTypes has NODATA looked at.
func (r *Race) lookAtTypes() {
	r.mu.Lock()
	news, legs := r.news, make([]OtherType, len(r.state.legs))
	r.mu.Unlock()
	beside := r.state.Others.LookAtTypes(legs)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.beside = beside
	for i := range legs {
		if news == r.news {
			r.state.legs[i].other = &legs[i]
		}
	}
}

// Learned says that more is known of other types of the name. It may be called from any
// goroutine.
func (r *Race) Learned() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news++
	for i := range r.state.legs {
		r.state.legs[i].other = nil
	}
	r.wakeLocked()
}
