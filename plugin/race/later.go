package race

import "time"

// Asker starts legs.
type Asker interface {
	// AskLeg asks upstream i what the race asks. It also returns when Retry should be
	// called first; zero means never.
	AskLeg(i int, leg *Leg) (Exchange, time.Time)
	// Asked is called when all were that are asked at this moment.
	Asked()
}

type askFunc func(i int, leg *Leg) (Exchange, time.Time)

func (f askFunc) AskLeg(i int, leg *Leg) (Exchange, time.Time) { return f(i, leg) }
func (f askFunc) Asked()                                       {}

// later is of a race in which one leg is asked alone at first (R16).
type later struct {
	plan  Plan
	asker Asker
	due   time.Time // when the others are asked; zero: they were, or there are none

	// Guarded by race.mu.
	asked     time.Time // when the others were
	firstDone time.Time // when the first was waited for no more; zero: it is
}

// putOff leaves all legs but the first of the plan for later.
func (r *Race) putOff(plan Plan, hedge time.Duration, asker Asker) {
	r.later = &later{plan: plan, asker: asker}
	for i := range r.legs {
		if i != plan.First {
			r.legs[i].state = unasked
			r.later.due = r.begun.Add(hedge)
		}
	}
}

// pending reports whether there are legs that were not asked yet.
func (l *later) pending() bool { return l != nil && !l.due.IsZero() }

// askOthers asks those who were put off, if the hedge has passed or the first is of no
// use. They get the race's whole time, for it would have been theirs without the plan.
func (r *Race) askOthers(now time.Time) {
	r.mu.Lock()
	due := !now.Before(r.later.due) || r.idleLocked()
	if due {
		r.later.asked = now
		for i := range r.legs {
			if r.legs[i].state == unasked {
				r.legs[i].state = waiting
			}
		}
	}
	r.mu.Unlock()
	if !due {
		return
	}
	r.later.due = time.Time{}
	r.deadline = r.deadline.Add(now.Sub(r.begun))
	for i := range r.legs {
		if i != r.later.plan.First {
			r.ask(i, r.later.asker)
		}
	}
	r.later.asker.Asked()
}

// noteFirstLocked notes when the first leg of the plan is waited for no more.
func (r *Race) noteFirstLocked() {
	if r.later.firstDone.IsZero() && r.legs[r.later.plan.First].state != waiting {
		r.later.firstDone = time.Now()
	}
}

// owesLocked is until when legs that were put off have to be listened to, though their
// upstreams are down: without the plan they would have been for as long as the first one
// took. Zero means that they need not.
func (r *Race) owesLocked() time.Time {
	if r.later == nil || r.later.asked.IsZero() || r.later.firstDone.IsZero() || r.decided {
		return time.Time{}
	}
	return r.later.asked.Add(r.later.firstDone.Sub(r.begun))
}

// owesUntil is owesLocked without the lock, and zero when that is over.
func (r *Race) owesUntil() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := r.owesLocked(); time.Now().Before(until) {
		return until
	}
	return time.Time{}
}

// idleLocked reports whether nobody is waited for, though some were not asked yet.
func (r *Race) idleLocked() bool {
	if r.later == nil || r.legs[r.later.plan.First].state == waiting || r.good != nil {
		return false
	}
	for i := range r.legs {
		if r.legs[i].state == unasked {
			return !r.finalLocked()
		}
	}
	return false
}

// finalLocked reports whether the first leg's NODATA is as good as everybody's.
func (r *Race) finalLocked() bool {
	if r.later == nil || !r.later.plan.Final {
		return false
	}
	first := &r.legs[r.later.plan.First]
	return first.state == replied && first.verdict == NoDataSOA
}

// askedAt is when a leg was. Of one that was put off it is written with the lock held.
func (r *Race) askedAt(i int) time.Time {
	if r.later != nil && i != r.later.plan.First {
		return r.later.asked
	}
	return r.begun
}

// Unasked is how many legs were not asked.
func (r *Race) Unasked() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.legs {
		if r.legs[i].state == unasked {
			n++
		}
	}
	return n
}
