package upstream

import (
	"iter"
	"time"
)

// Observer is told what happens to an upstream, for metrics and logs. Its methods
// are called from any goroutine, without locks held.
type Observer interface {
	// Replied tells of a reply of use, with the rcode in its header, and how long
	// after the query was first sent it came. Nobody need have waited for it.
	Replied(rcode int, took time.Duration)
	// Failed tells that an exchange ended without a reply, and why.
	Failed(err error)
	// Retransmitted tells that a query is sent over UDP once more, for no reply came in time.
	Retransmitted()
	// NearMiss tells of a reply that would have been right but for its id.
	NearMiss()
	// Down tells that the upstream went down, how long it was silent before that,
	// and how many queries wait for it.
	Down(silence time.Duration, unanswered int)
	// Up tells that the upstream is up again, and how long it was down.
	Up(after time.Duration)
}

// unobserved is the Observer of an upstream without one.
type unobserved struct{}

func (unobserved) Replied(int, time.Duration) {}
func (unobserved) Failed(error)               {}
func (unobserved) Retransmitted()             {}
func (unobserved) NearMiss()                  {}
func (unobserved) Down(time.Duration, int)    {}
func (unobserved) Up(time.Duration)           {}

// comeback is the end of a time in which an upstream was down. Nil is none.
type comeback struct {
	after   time.Duration
	waiting []Receiver
}

// heard notes a reply. u.mu is held.
func (u *Upstream) heard(now time.Time) *comeback {
	down, after := u.health.down, now.Sub(u.health.fell)
	u.health.heard(now)
	if !down {
		return nil
	}
	back := &comeback{after: after}
	for x := range u.open() {
		x.due = now
		x.packets, x.dials = min(x.packets, maxPackets-1), min(x.dials, maxDials-1)
		back.waiting = append(back.waiting, x.to)
	}
	return back
}

// tell tells all who want to know.
func (u *Upstream) tell(c *comeback) {
	if c == nil {
		return
	}
	u.cfg.Observer.Up(c.after)
	for _, to := range c.waiting {
		to.Up()
	}
}

// waiting returns who waits for an exchange under way. u.mu is held.
func (u *Upstream) waiting() []Receiver {
	var all []Receiver
	for x := range u.open() {
		all = append(all, x.to)
	}
	return all
}

// open yields each exchange that somebody waits for. u.mu is held.
func (u *Upstream) open() iter.Seq[*Exchange] {
	return func(yield func(*Exchange) bool) {
		seen := make(map[*Exchange]bool) // one may be pending on several sockets
		for p := range u.tables() {
			for _, x := range p {
				if x.done || seen[x] || !x.to.Waiting() {
					continue
				}
				seen[x] = true
				if !yield(x) {
					return
				}
			}
		}
	}
}

// tables yields the table of each socket. u.mu is held.
func (u *Upstream) tables() iter.Seq[pending] {
	return func(yield func(pending) bool) {
		for _, s := range u.sockets {
			if s != nil && !yield(s.pending) {
				return
			}
		}
		for _, s := range u.retired {
			if !yield(s.pending) {
				return
			}
		}
		for _, s := range u.streams {
			if !yield(s.pending) {
				return
			}
		}
	}
}
