package upstream

import "time"

const (
	firstRTO = 250 * time.Millisecond // before any reply was timed
	minRTO   = 100 * time.Millisecond // a resolver that recurses is not a lost packet
	maxRTO   = time.Second
	maxShift = 2
)

// rtt estimates how long to wait for a reply before the query is sent again
// (RFC 6298, with bounds that suit DNS). Its zero value has seen no reply.
type rtt struct {
	smoothed  time.Duration // zero: no sample yet
	deviation time.Duration
	shift     uint // doublings since the last sample
}

// sample adds the time that a reply took. Only exchanges of a single packet
// count: of more, nobody knows which one was answered (Karn's rule).
func (r *rtt) sample(d time.Duration) {
	d = max(d, time.Microsecond)
	if r.smoothed == 0 {
		r.smoothed, r.deviation = d, d/2
	} else {
		r.deviation += ((d - r.smoothed).Abs() - r.deviation) / 4
		r.smoothed += (d - r.smoothed) / 8
	}
	r.shift = 0
}

// expired notes that a reply did not come in time. The next queries wait longer
// until a reply is timed again; else a resolver that is farther away than the
// estimate would never be timed at all.
func (r *rtt) expired() { r.shift = min(r.shift+1, maxShift) }

// timeout is how long to wait for the reply to a first packet.
func (r *rtt) timeout() time.Duration {
	rto := firstRTO
	if r.smoothed != 0 {
		rto = max(r.smoothed+4*r.deviation, minRTO)
	}
	return min(rto<<r.shift, maxRTO)
}
