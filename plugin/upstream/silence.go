package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/known"
)

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
	if !u.known.Silent(x.wait.silenceFrom, now, x.patience()) {
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

// After a pause in which nothing was asked, what is known of a down upstream may be old, as
// after a suspend. It is waited for as long as it usually takes, up to maxWelcome (R5).
const (
	leastPause = 5 * time.Second
	maxWelcome = 300 * time.Millisecond
)

// notePause notes that a query is asked, and has its receiver told later that the upstream is
// down, if it is asked after a pause.
func (x *Exchange) notePause(now time.Time) {
	u := x.u
	if now.Sub(u.asked) >= leastPause {
		u.pauseEnded = now
	}
	u.asked = now
	if !u.known.Down || u.linkGone() {
		return
	}
	usual := u.known.RTT.Timeout()
	if u.cfg.ForceTCP {
		usual = u.known.StreamRTT.Timeout()
	}
	if until := u.pauseEnded.Add(min(usual, maxWelcome)); now.Before(until) {
		x.wait.downAt = until
	}
}

// patience is the silence to the exchange that makes the upstream down. A connection that is
// being dialled is none yet: it has a moment more, where nothing but streams is asked.
func (x *Exchange) patience() time.Duration {
	patience := x.u.patienceLocked()
	if s := x.conn.stream; s != nil && s.state == dialling && x.conn.owed > 0 && x.udp.packets == 0 {
		patience += known.LeastStall
	}
	return patience
}

// silenceAt is when a silence would be noticed, or the upstream probed before that; zero
// means never.
func (x *Exchange) silenceAt() time.Time {
	if x.cutOff() {
		return time.Time{}
	}
	patience := x.patience()
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
	if x.wait.silenceReported || x.phase == ended || x.cutOff() {
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
