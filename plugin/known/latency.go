package known

import "time"

// Latency is how long even the fastest replies of an upstream take, over either path. It
// falls at once, and rises slowly. Zero: there was no reply yet.
type Latency time.Duration

// Sample adds the time from a query's first packet to its reply.
func (l *Latency) Sample(took time.Duration) {
	switch old := time.Duration(*l); {
	case old == 0 || took < old:
		*l = Latency(took)
	default:
		*l = Latency(old + (took-old)/8)
	}
}

// patience is the silence that makes an upstream of that latency down: least, but more, up
// to most, for one that is known to be slow.
func (l Latency) patience(least, most time.Duration) time.Duration {
	return max(least, min(most, time.Duration(l)*3/2))
}
