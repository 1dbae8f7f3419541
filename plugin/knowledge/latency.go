package knowledge

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	quickest  = 250 * time.Microsecond // shorter times count as this one
	steps     = 29                     // two double the time, so up to 4 s
	forgetful = 512                    // after so many replies, older ones count half
)

// Latency is a histogram of the time that an upstream's good answers take. The zero value is
// empty. It may be used from any goroutine.
type Latency struct {
	median, p95 atomic.Int64

	mu     sync.Mutex
	counts [steps]uint16
	n      int
}

// Sample adds the time that a good answer took.
func (l *Latency) Sample(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	step := 0
	for step < steps-1 && took > bound(step) {
		step++
	}
	l.counts[step]++
	if l.n++; l.n >= forgetful {
		l.n = 0
		for i := range l.counts {
			l.counts[i] /= 2
			l.n += int(l.counts[i])
		}
	}
	l.median.Store(int64(l.quantileLocked(0.5)))
	l.p95.Store(int64(l.quantileLocked(0.95)))
}

// Median is the time that half of the answers take at the most; 0 if there were none.
func (l *Latency) Median() time.Duration { return time.Duration(l.median.Load()) }

// P95 is the time that 95 % of the answers take at the most; 0 if there were none.
func (l *Latency) P95() time.Duration { return time.Duration(l.p95.Load()) }

func (l *Latency) quantileLocked(q float64) time.Duration {
	rest := int(q * float64(l.n))
	for i, n := range l.counts {
		if rest -= int(n); rest < 0 {
			return bound(i)
		}
	}
	return bound(steps - 1)
}

// bound is the longest time of a step.
func bound(step int) time.Duration {
	d := quickest << (step / 2)
	if step%2 == 1 {
		d = d * 181 / 128 // the root of two
	}
	return d
}
