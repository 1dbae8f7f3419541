package upstream

import "time"

// heardLocked notes that the upstream replies, over UDP or a stream. If it was down, all
// that still wait for it have to ask once more; and so have those that asked in vain, if
// their last packet fell into a silence that is over now.
func (u *Upstream) heardLocked(overUDP bool, now time.Time, out *outbox) {
	if u.linkGone() { // it was on its way before
		return
	}
	ended := u.known.Heard(overUDP, now)
	if ended.Down {
		out.add(job{kind: upJob, turn: u.known.Turn, took: ended.DownFor})
	}
	if !ended.Noticed {
		return
	}
	for x := range u.waitingLocked() {
		if ended.Down {
			out.tellHealth(x)
		} else if x.wait.askedAgain || !x.spent() || x.udp.sent.Before(ended.Since) {
			continue
		}
		x.again(now, out)
		out.add(job{kind: againJob, to: x.to})
	}
}

// silentLocked notes that x is unanswered at now, and makes the upstream down if that
// proves it.
func (u *Upstream) silentLocked(x *Exchange, now time.Time, out *outbox) {
	if !u.known.Silent(x.wait.silenceFrom, now, u.patienceLocked()) {
		return
	}
	n := 0
	for range u.waitingLocked() {
		n++
	}
	out.add(job{kind: downJob, turn: u.known.Turn, took: now.Sub(x.wait.silenceFrom), n: n})
	for x := range u.waitingLocked() {
		out.tellHealth(x)
	}
	u.renewAllLocked(now) // the silence may be theirs
}

// silenceAt is when a silence would be noticed, or the upstream probed before that; zero
// means never.
func (x *Exchange) silenceAt() time.Time {
	patience := x.u.patienceLocked()
	silence := x.u.known.Deadline(x.wait.silenceFrom, patience)
	if !silence.IsZero() && !x.wait.probed {
		silence = silence.Add(-patience / 2)
	}
	return silence
}

// probeIsDue reports whether it is time to ask the upstream something that takes it no
// time, once, and not for each exchange that waits: the name asked for may be one that
// takes long.
func (x *Exchange) probeIsDue(now time.Time) bool {
	if at := x.silenceAt(); x.wait.probed || at.IsZero() || now.Before(at) {
		return false
	}
	x.wait.probed = true
	return now.Sub(x.u.known.Probed) >= x.u.patienceLocked()/2
}

// typeSilenceAt is when a silence to the exchange would be noticed while others are
// answered; zero means never.
func (x *Exchange) typeSilenceAt() time.Time {
	if x.wait.silenceReported || x.phase == ended {
		return time.Time{}
	}
	return x.wait.silenceFrom.Add(x.u.patienceLocked())
}

// noteTypeSilence notes, once, that the exchange has stayed without reply for so long that
// it should have had one, since others had.
func (x *Exchange) noteTypeSilence(now time.Time, out *outbox) {
	if due := x.typeSilenceAt(); due.IsZero() || now.Before(due) {
		return
	}
	x.wait.silenceReported = true
	u := x.u
	if u.known.Down || !u.known.Last.After(x.wait.silenceFrom) {
		return
	}
	qtype := x.qtype()
	became, probe := u.known.Types.Unanswered(qtype, now, u.cfg.Patience/2)
	if probe {
		out.add(job{kind: probeTypeJob, qtype: qtype})
	}
	if !became {
		return
	}
	out.add(job{kind: typeJob, qtype: qtype, is: true})
	for y := range u.waitingLocked() {
		if y.qtype() == qtype {
			out.add(job{kind: unresponsiveJob, to: y.to})
		}
	}
}

// noteTypeAnswered notes that a question of the exchange's type was answered.
func (x *Exchange) noteTypeAnswered(out *outbox) {
	if len(x.u.known.Types) == 0 {
		return
	}
	if qtype := x.qtype(); x.u.known.Types.Answered(qtype) {
		out.add(job{kind: typeJob, qtype: qtype})
	}
}
