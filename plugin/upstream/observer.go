package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
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
	// Down tells that the upstream went down: its turn-th change, as [Receiver] counts
	// them, of which a later one may be told before. It tells how long it was silent
	// before that, and how many queries wait for it.
	Down(turn uint64, silence time.Duration, unanswered int)
	// Up tells that the upstream is up again, in its turn, and how long it was down.
	Up(turn uint64, after time.Duration)
	// Link tells how the upstream's link leads to it now. If it is gone the upstream is down;
	// if it leads there again, or another way, the upstream is up. Turn is that of the
	// change, or 0 if it was down or up before.
	Link(state link.State, turn uint64)
	// Hearing tells that the upstream became deaf to questions of a type, which it never
	// answers while it answers others, or that it answered one again.
	Hearing(qtype uint16, deaf bool)
}

// unobserved is the Observer of an upstream without one.
type unobserved struct{}

func (unobserved) Replied(int, time.Duration)      {}
func (unobserved) Failed(error)                    {}
func (unobserved) Retransmitted()                  {}
func (unobserved) NearMiss()                       {}
func (unobserved) Down(uint64, time.Duration, int) {}
func (unobserved) Up(uint64, time.Duration)        {}
func (unobserved) Link(link.State, uint64)         {}
func (unobserved) Hearing(uint16, bool)            {}
