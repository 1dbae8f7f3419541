package race

import "time"

// state is how a race stands: a value, of which follows all that is decided, and what is
// told of it. Times are since the race's beginning.
type state struct {
	Setup
	deadline  time.Duration // of those that were asked
	hedgeEnds time.Duration // when those that were put off are asked
	asked     time.Duration // when they were, if there are any
	firstDone time.Duration // when the first of the plan was waited for no more
	firstIdle bool          // it is waited for no more
	cancelled bool          // who waits for the race does so no longer
	legs      []legState
}

// legState is what has become of a leg so far.
type legState struct {
	status       status
	unresponsive bool // its upstream never answers questions of this type
	signs        bool // its upstream is known to do DNSSEC
	late         bool // the race was decided before the reply or the failure came

	// Of the reply.
	verdict   Verdict
	stream    bool // it came over a stream
	signed    bool // it has a signature that was asked for
	filtered  bool // it is a denial, and a filter's
	addressed bool // it is good, and holds addresses, where that is asked for
	private   bool // one of them is private

	signWait time.Duration // how long its reply is waited for by an answer without signature
	at       time.Duration // of the reply or the failure
	msg      []byte        // the reply
	err      error         // the failure
}

type status uint8

const (
	waiting status = iota
	down           // not waited for, but a reply is welcome
	unasked        // it is put off
	failed         // no reply will come
	replied
)

// open reports whether something may yet come of a leg that was asked.
func (l *legState) open() bool { return l.status == waiting || l.status == down }

// askedAt is when a leg was, if it was.
func (s *state) askedAt(leg int) time.Duration {
	if s.Plan.Alone && leg != s.Plan.First {
		return s.asked
	}
	return 0
}
