package race

import "time"

// ReportTo has a sink take each reply once: those that are there, and those that still
// come, also after End. It is called when the race is decided.
func (r *Race) ReportTo(sink ReplySink) {
	r.mu.Lock()
	r.sink = sink
	there := make([]int, 0, 8)
	for i := range r.state.legs {
		if r.state.legs[i].status == replied {
			there = append(there, i)
		}
	}
	r.mu.Unlock()
	for _, i := range there { // they change no more
		s := &r.state.legs[i]
		sink.TakeReply(i, s.verdict, s.msg, s.at-r.state.askedAt(i), false)
	}
}

// LegReport is what has become of a leg so far.
type LegReport struct {
	Verdict      Verdict       // of the reply; None: there is none
	Msg          []byte        // the reply
	Stream       bool          // it came over a stream, not over UDP
	Err          error         // why there is no reply; nil: it may still come
	At           time.Time     // of the reply or the failure; zero: nothing has come yet
	After        time.Duration // the same, from the race's beginning
	Down         bool          // its upstream does not reply at present
	Unresponsive bool          // its upstream never answers questions of this type
	Late         bool          // the race was decided without it
	Asked        time.Time     // when its upstream was
	Unasked      bool          // its turn has not come
}

// Open reports whether something may yet come of the leg.
func (l LegReport) Open() bool { return l.At.IsZero() }

// Legs tells what has become of each leg so far. It must not be called after End.
func (r *Race) Legs() []LegReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]LegReport, len(r.state.legs))
	for i := range r.state.legs {
		s := &r.state.legs[i]
		all[i] = LegReport{
			Stream: s.stream, Err: s.err,
			Down: s.status == down && !s.unresponsive, Unresponsive: s.unresponsive,
			Late: s.late, Unasked: s.status == unasked,
		}
		if s.status != unasked {
			all[i].Asked = r.begun.Add(r.state.askedAt(i))
		}
		if s.status == replied {
			all[i].Verdict, all[i].Msg = s.verdict, s.msg
		}
		if s.status >= failed {
			all[i].At, all[i].After = r.begun.Add(s.at), s.at
		}
	}
	return all
}

// Reply is what a leg has brought so far, and what that is worth; None if there is
// nothing. It must not be called after End.
func (r *Race) Reply(leg int) (Verdict, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := &r.state.legs[leg]; s.status == replied {
		return s.verdict, s.msg
	}
	return None, nil
}

// Unasked is how many legs were not asked.
func (r *Race) Unasked() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.state.legs {
		if r.state.legs[i].status == unasked {
			n++
		}
	}
	return n
}

// Begun is when all were asked.
func (r *Race) Begun() time.Time { return r.begun }
