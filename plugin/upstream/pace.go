package upstream

import "time"

// pace is how long even the quickest replies of an upstream take, over whatever way.
// It falls at once, and rises slowly. Zero: there was no reply yet.
type pace time.Duration

// sample adds the time from a query's first packet to its reply.
func (p *pace) sample(took time.Duration) {
	switch old := time.Duration(*p); {
	case old == 0 || took < old:
		*p = pace(took)
	default:
		*p = pace(old + (took-old)/8)
	}
}

// patience is the silence that makes an upstream of that pace down: least, but for one
// that is known to be slow more, at most most.
func (p pace) patience(least, most time.Duration) time.Duration {
	return max(least, min(most, time.Duration(p)*3/2))
}
