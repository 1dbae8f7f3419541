package knowledge

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	quickest  = 250 * time.Microsecond // what takes less is not told apart
	steps     = 29                     // of which two double the time, so up to 4 s
	forgetful = 512                    // replies, after which the older half counts half
)

// Pace is how long an upstream's good answers take. Its zero value has seen none. It may
// be used from any goroutine.
type Pace struct {
	usual, late atomic.Int64

	mu     sync.Mutex
	counts [steps]uint16
	n      int
}

// Sample adds the time that a good answer took.
func (p *Pace) Sample(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	step := 0
	for step < steps-1 && took > bound(step) {
		step++
	}
	p.counts[step]++
	if p.n++; p.n >= forgetful {
		p.n = 0
		for i := range p.counts {
			p.counts[i] /= 2
			p.n += int(p.counts[i])
		}
	}
	p.usual.Store(int64(p.quantileLocked(0.5)))
	p.late.Store(int64(p.quantileLocked(0.95)))
}

// Usual is what half of the answers take at the most; 0 if none was seen.
func (p *Pace) Usual() time.Duration { return time.Duration(p.usual.Load()) }

// Late is what only one answer of twenty takes longer than; 0 if none was seen.
func (p *Pace) Late() time.Duration { return time.Duration(p.late.Load()) }

func (p *Pace) quantileLocked(q float64) time.Duration {
	rest := int(q * float64(p.n))
	for i, n := range p.counts {
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
