package race

import "time"

// Asker starts legs.
type Asker interface {
	// AskLeg asks upstream i what the race asks. It also returns when Retry should be
	// called first; zero means never.
	AskLeg(i int, leg *Leg) (Retrier, time.Time)
}

type askFunc func(i int, leg *Leg) (Retrier, time.Time)

func (f askFunc) AskLeg(i int, leg *Leg) (Retrier, time.Time) { return f(i, leg) }

// putOff leaves all legs but the first of the plan for later (R16).
func (r *Race) putOff(hedge time.Duration) {
	for i := range r.legs {
		if i != r.plan.First {
			r.legs[i].state = unasked
			r.later = r.begun.Add(hedge)
		}
	}
}

// askOthers asks those who were put off, if the hedge has passed or the first is of no
// use. They get the race's whole time, for it would have been theirs without the plan.
func (r *Race) askOthers(now time.Time) {
	r.mu.Lock()
	due := !now.Before(r.later) || r.idleLocked()
	for i := range r.legs {
		if l := &r.legs[i]; due && l.state == unasked {
			l.state = waiting
			r.asked = now
		}
	}
	r.mu.Unlock()
	if !due {
		return
	}
	r.later = time.Time{}
	r.deadline = r.deadline.Add(now.Sub(r.begun))
	for i := range r.legs {
		if i != r.plan.First {
			r.ask(i)
		}
	}
}

// noteFirstLocked notes when the first leg of the plan is waited for no more.
func (r *Race) noteFirstLocked() {
	if r.firstDone.IsZero() && r.legs[r.plan.First].state != waiting {
		r.firstDone = time.Now()
	}
}

// owesLocked is until when legs that were put off have to be listened to, though their
// upstreams are down: without the plan they would have been for as long as the first one
// took. Zero means that they need not.
func (r *Race) owesLocked() time.Time {
	if !r.plan.Alone || r.asked.IsZero() || r.firstDone.IsZero() || !r.decided.IsZero() {
		return time.Time{}
	}
	return r.asked.Add(r.firstDone.Sub(r.begun))
}

func (r *Race) owingLocked(now time.Time) bool { return now.Before(r.owesLocked()) }

// owesUntil is owesLocked without the lock, and zero when that is over.
func (r *Race) owesUntil() time.Time {
	if !r.plan.Alone {
		return time.Time{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if until := r.owesLocked(); time.Now().Before(until) {
		return until
	}
	return time.Time{}
}

// idleLocked reports whether nobody is waited for, though some were not asked yet.
func (r *Race) idleLocked() bool {
	if !r.plan.Alone || r.legs[r.plan.First].state == waiting || r.good != nil {
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
	if !r.plan.Final {
		return false
	}
	first := &r.legs[r.plan.First]
	return first.state == replied && first.verdict == NoDataSOA
}

// Hedged reports whether a plan put legs off, and how many of them were never asked.
func (r *Race) Hedged() (alone bool, saved int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.legs {
		if r.legs[i].state == unasked {
			saved++
		}
	}
	return r.plan.Alone, saved
}
