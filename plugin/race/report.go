package race

import "time"

// ReportTo hands each reply to the sink once: those that have come, and those that still
// come, also after End. Old ones, as in [Leg.TakesLate], come if the sink corrects what the race
// brought. It is called after Wait.
func (r *Race) ReportTo(sink ReplySink, corrects bool) {
	type report struct {
		leg int
		said
		took time.Duration
	}
	r.mu.Lock()
	r.sink, r.corrects = sink, corrects
	there := make([]report, 0, 8)
	for i := range r.state.legs {
		if s := &r.state.legs[i]; s.own().verdict != None {
			there = append(there, report{i, s.own(), s.own().at - s.asked})
		}
	}
	r.mu.Unlock()
	for _, its := range there {
		sink.TakeReply(its.leg, its.verdict, its.msg, its.took, false)
	}
}

// LegReport is the state of a leg.
type LegReport struct {
	Verdict Verdict       // of the reply, or of what its alias leads to; None: there is none
	Msg     []byte        // the reply
	Alias   bool          // the end of its alias is or was asked for
	Stream  bool          // it came over a stream, not over UDP
	Err     error         // why there is no reply; nil: it may still come
	At      time.Time     // of the reply or the failure; zero: nothing has come yet
	After   time.Duration // the same, from the race's beginning
	Down    bool          // its upstream is down
	Late    bool          // the race was decided without it
	Asked   time.Time     // when its upstream was asked
	Unasked bool          // it was not asked yet
}

// Open reports whether a reply may still come.
func (l LegReport) Open() bool { return l.At.IsZero() }

// Legs returns the state of each leg. It must not be called after End.
func (r *Race) Legs() []LegReport {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]LegReport, len(r.state.legs))
	for i := range all {
		r.reportLocked(i, &all[i])
	}
	return all
}

// EachLeg calls f with the state of each leg, which it must not keep. F must not call the race.
func (r *Race) EachLeg(f func(i int, leg *LegReport)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var leg LegReport
	for i := range r.state.legs {
		r.reportLocked(i, &leg)
		f(i, &leg)
	}
}

func (r *Race) reportLocked(i int, leg *LegReport) {
	s := &r.state.legs[i]
	*leg = LegReport{
		Stream: s.stream, Late: s.late,
		Down: s.status == down && !s.unresponsive(), Unasked: s.status == unasked,
	}
	if s.status != down {
		leg.Err = s.err
	}
	if s.status != unasked {
		leg.Asked = r.start.Add(s.asked)
	}
	if own := s.own(); own.verdict != None {
		leg.Verdict, leg.Msg, leg.Alias = own.verdict, own.msg, s.said != nil
		leg.At, leg.After = r.start.Add(own.at), own.at
		if s.status == replied {
			leg.Verdict = s.verdict
		}
	} else if s.status == failed {
		leg.At, leg.After = r.start.Add(s.at), s.at
	}
}

// Reply returns what the upstream of a leg has replied and the verdict on that, which is None if
// there is no reply. It must not be called after End.
func (r *Race) Reply(leg int) (Verdict, []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.state.legs[leg].own()
	return own.verdict, own.msg
}

// WasAsked reports whether a leg's upstream was asked.
func (r *Race) WasAsked(leg int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.legs[leg].status != unasked
}

// Unasked is the number of legs that were not asked.
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

// Begun is when the race began.
func (r *Race) Begun() time.Time { return r.start }
