package race

import "time"

// Hearer is told what legs bring.
type Hearer interface {
	// HearLeg takes the reply of leg i, what it is worth, how long after it was asked for
	// it came, and whether Listen had been called by then. It is called from any
	// goroutine, and must not keep the reply.
	HearLeg(i int, verdict Verdict, reply []byte, took time.Duration, late bool)
}

// Listen has each reply heard once: those that are there, and those that still come,
// also after End. It is called when the race is decided.
func (r *Race) Listen(to Hearer) {
	r.mu.Lock()
	r.hear = to
	r.listened.Store(true)
	there := make([]int, 0, 8)
	for i := range r.legs {
		if r.legs[i].state == replied {
			there = append(there, i)
		}
	}
	r.mu.Unlock()
	for _, i := range there { // they change no more
		l := &r.legs[i]
		to.HearLeg(i, l.verdict, l.msg, l.at.Sub(r.askedAt(i)), false)
	}
}

// TakesLate reports whether a reply is of interest though nobody waits for it.
func (l *Leg) TakesLate() bool { return l.race.listened.Load() }

// tellLate has a reply heard that nobody waits for.
func (l *Leg) tellLate(msg []byte, at time.Time) {
	if !l.TakesLate() {
		return
	}
	r := l.race
	r.mu.Lock()
	hear, asked := r.hear, r.askedAt(int(l.index))
	r.mu.Unlock()
	hear.HearLeg(int(l.index), Judge(msg, r.rules.Policy), msg, at.Sub(asked), true)
}
