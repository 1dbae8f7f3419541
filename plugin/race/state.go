package race

import "time"

// state is all that is known of a race: a plain value, from which follow its decisions,
// result and reports. Times are since the race began.
type state struct {
	Setup
	deadline    time.Duration // when the race is over; does not count while legs are put off
	hedgeEnds   time.Duration // when the legs that were put off are asked
	putOffUntil time.Duration // when they were asked, if they were
	firstDone   time.Duration // when firstIdle was set
	view        int           // the leg of which clients have other types of the name, and one more; 0: that is not known
	firstIdle   bool          // the first leg of the plan has settled, if only for a while
	cancelled   bool          // the result is wanted now
	beside      bool          // a race for another type of the name is under way
	legs        []legState
}

// legState is what has become of a leg so far.
type legState struct {
	status   status
	signs    bool          // its upstream is known to do DNSSEC
	doubtful bool          // its upstream is down, and it is waited for only by denials
	late     bool          // the race was decided before the reply or the failure came
	other    *OtherType    // what is known of other types of the name; nil: nobody has looked
	asked    time.Duration // when it was asked, if it was
	signWait time.Duration // how long an answer without signature waits for its reply (R19)
	at       time.Duration // of the reply or the failure
	err      error         // the failure; of one that is down, why its upstream never answers such questions
	said     *said         // an alias whose end was asked for; then the reply is what came of that
	judged                 // the reply
}

// said is what an upstream itself has replied, and when.
type said struct {
	msg     []byte
	verdict Verdict
	at      time.Duration
}

// judged is a reply, and what it is.
type judged struct {
	msg       []byte
	verdict   Verdict
	alias     bool // it is one of a name that is to be asked for
	stream    bool // it came over a stream
	signed    bool // it has a signature, and the client asked for one
	filtered  bool // it is a filter's, and the rules ask for that
	addressed bool // it is good and has addresses, and the preference is by these
	private   bool // one of them is private
}

type status uint8

const (
	waiting   status = iota
	down             // not waited for, but a reply may come
	unasked          // it is put off
	aliased          // it has replied with an alias, whose end is to be asked for
	following        // it was
	failed           // no reply will come
	replied
)

// unresponsive reports whether its upstream never answers such questions.
func (l *legState) unresponsive() bool { return l.status == down && l.err != nil }

// pending reports whether a leg is waited for.
func (l *legState) pending() bool {
	return l.status == waiting || l.status == aliased || l.status == following
}

// awaited reports whether a leg is waited for where there is a good answer.
func (l *legState) awaited() bool { return l.pending() && !l.doubtful }

// own is what the leg's upstream itself has replied; verdict None: nothing.
func (l *legState) own() said {
	switch {
	case l.said != nil:
		return *l.said
	case l.status == replied, l.status == aliased:
		return said{l.msg, l.verdict, l.at}
	}
	return said{}
}

// open reports whether something may yet come of a leg that was asked.
func (l *legState) open() bool { return l.status == waiting || l.status == down }
