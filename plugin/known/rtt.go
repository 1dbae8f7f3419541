package known

import "time"

const (
	firstRTO = 250 * time.Millisecond // before any reply was timed
	minRTO   = 100 * time.Millisecond // a resolver that recurses is not a lost packet
	maxRTO   = time.Second
	maxShift = 2
	toShift  = 8 // replies in a row that are too late for one doubling
)

// RTT estimates how long to wait for a reply before the query is sent again
// (R6; RFC 6298, with bounds that suit DNS). Its zero value has seen no reply.
type RTT struct {
	smoothed  time.Duration // zero: no sample yet
	deviation time.Duration
	late      int // replies since the last sample that did not come in time
}

// Sample adds the time that a reply took. Only exchanges of a single packet
// count: of more, it cannot be known which one was answered (Karn's rule).
func (r *RTT) Sample(d time.Duration) {
	d = max(d, time.Microsecond)
	if r.smoothed == 0 {
		r.smoothed, r.deviation = d, d/2
	} else {
		r.deviation += ((d - r.smoothed).Abs() - r.deviation) / 4
		r.smoothed += (d - r.smoothed) / 8
	}
	r.late = 0
}

// Expired notes that a reply did not come in time. If none does for a while, the
// resolver is farther away than the estimate; then queries wait longer until a
// reply is timed again, which else would never be. Single losses change nothing.
func (r *RTT) Expired() { r.late++ }

// Usual is how long replies usually take; 0: none was timed.
func (r *RTT) Usual() time.Duration { return r.smoothed + 4*r.deviation }

// Timeout is how long to wait for the reply to a first packet.
func (r *RTT) Timeout() time.Duration {
	rto, shift := firstRTO, r.late
	if r.smoothed != 0 {
		rto, shift = max(r.smoothed+4*r.deviation, minRTO), r.late/toShift
	}
	return min(rto<<min(shift, maxShift), maxRTO)
}
