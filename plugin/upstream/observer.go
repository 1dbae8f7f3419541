package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// Observer is told what happens to an upstream, for metrics and logs. Its methods
// are called from any goroutine, without locks held.
type Observer interface {
	// Replied reports a usable reply, with the rcode in its header, and how long after the
	// query was first sent it came. It may be one that was not waited for.
	Replied(rcode int, took time.Duration)
	// Failed reports that an exchange ended without a reply, and why.
	Failed(err error)
	// Retransmitted reports that a query is sent over UDP once more, for no reply came in
	// time.
	Retransmitted()
	// NearMiss reports a reply that would have been right but for its id.
	NearMiss()
	// Down reports that the upstream went down: its turn-th change, as [Receiver] counts
	// them, of which a later one may be reported before; how long it was silent before
	// that, and how many queries wait for it.
	Down(turn uint64, silence time.Duration, unanswered int)
	// Up reports that the upstream is up again, in its turn, and how long it was down.
	Up(turn uint64, after time.Duration)
	// Link reports how the upstream's link leads to it now. If it is gone the upstream is
	// down; if it leads there again, or over another, the upstream is up. Turn is that of
	// the change, or 0 if it was down or up before.
	Link(state link.State, turn uint64)
	// Unresponsive reports that the upstream became unresponsive for a type of question,
	// which it never answers while it answers others, or that it answered one again.
	Unresponsive(qtype uint16, is bool)
	// UnresponsiveIn reports the same of questions for a name, or in a zone.
	UnresponsiveIn(zone string, is bool)
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
func (unobserved) Unresponsive(uint16, bool)       {}
func (unobserved) UnresponsiveIn(string, bool)     {}
