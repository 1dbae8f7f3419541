package race

import "time"

// Choice says which of several good answers is better (R17). The zero Choice says that
// none is.
type Choice struct {
	Grace   time.Duration // so long a good answer waits for a better one; 0: there is no choice
	Private bool          // answers with private addresses are better; else those of upstreams that stand first
	Chances []Chance      // by leg
}

// Chance is what may be expected of a leg. A lesser rank is better. The first is that of
// the view which clients have; then those by the order of legs, or one of private
// addresses and one of others.
type Chance struct {
	Rank    int  // of the best answer that is expected of it
	Differs bool // its answers are known to differ, so its NODATA is one of them
}

// Ranks of answers.
const (
	ViewRank    = 0
	PrivateRank = 1
	PublicRank  = 2
)

// OrderRank is the rank of a leg by order.
func OrderRank(leg int) int { return leg + 1 }

// NoRank is worse than all others: nothing better is expected.
const NoRank = 1 << 30

// Choose lets the race choose among good answers. It is called before Wait.
func (r *Race) Choose(c Choice) {
	if c.Grace > 0 {
		r.choice = &c
	}
}

// choiceLocked is the best of the answers that are there, if one is good, and whether a
// better one is waited for at now.
func (r *Race) choiceLocked(now time.Time) (best int, held bool) {
	best, least := -1, 0
	for i := range r.legs {
		rank, ok := r.preferenceLocked(i)
		if ok && (best < 0 || rank < least || rank == least && r.legs[i].at.Before(r.legs[best].at)) {
			best, least = i, rank
		}
	}
	if r.timeUp || !now.Before(r.graceEndsLocked()) {
		return best, false
	}
	for i := range r.legs {
		if r.legs[i].state == waiting && r.choice.Chances[i].Rank < least {
			return best, true
		}
	}
	return best, false
}

// preferenceLocked is the rank of the answer that a leg has brought, if it is one.
func (r *Race) preferenceLocked(i int) (rank int, ok bool) {
	l, chance := &r.legs[i], r.choice.Chances[i]
	if l.state != replied {
		return 0, false
	}
	switch {
	case l.verdict == Good:
	case chance.Differs && (l.verdict == NoDataSOA || l.verdict == CNAMEOnly):
		return chance.Rank, true
	default:
		return 0, false
	}
	switch {
	case chance.Rank == ViewRank:
		return ViewRank, true
	case !r.choice.Private:
		return OrderRank(i), true
	}
	private, any := Privacy(l.msg)
	if private || !any && chance.Differs && chance.Rank == PrivateRank {
		return PrivateRank, true
	}
	return PublicRank, true
}

// graceEndsLocked is when a good answer has waited for long enough; zero: none waits.
func (r *Race) graceEndsLocked() time.Time {
	if r.good == nil || r.decided {
		return time.Time{}
	}
	return r.good.at.Add(r.choice.Grace)
}

// graceEnds is graceEndsLocked without the lock.
func (r *Race) graceEnds() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.graceEndsLocked()
}
