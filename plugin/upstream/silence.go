package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
)

// heardLocked notes that the upstream has replied, over UDP or a stream. If it was down, all
// exchanges that still wait for it ask once more. If it was only not heard for a while, those
// do that have nothing more to try and whose last packet fell into that while.
func (u *Upstream) heardLocked(overUDP bool, now instant.Time, out *outbox) {
	if u.linkGone() { // the reply was on its way before
		return
	}
	ended := u.known.Heard(overUDP, now)
	if ended.Down {
		out.add(job{kind: upJob, turn: u.known.Turn, took: ended.DownFor})
		u.forget64Locked(now, out)
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

// silentLocked notes that x is unanswered at now, and that the upstream is down if that proves
// it.
func (u *Upstream) silentLocked(x *Exchange, now instant.Time, out *outbox) {
	if !u.known.Silent(x.wait.silenceFrom, now, x.patience()) {
		return
	}
	if u.conns.opened.Before(x.wait.silenceFrom) {
		u.conns.opened = instant.Never // before it fell silent
	}
	n := 0
	for range u.waitingLocked() {
		n++
	}
	out.add(job{kind: downJob, turn: u.known.Turn, took: now.Sub(x.wait.silenceFrom), n: n})
	for x := range u.waitingLocked() {
		if u.lives(now) && x.hopes(now) {
			out.add(job{kind: doubtfulJob, to: x.to})
			out.add(job{kind: againJob, to: x.to})
		} else {
			out.tellHealth(x)
		}
	}
	u.renewAllLocked(now) // the ports or connections may be what is silent, not the upstream
}

// After a pause in which nothing was asked, as when the machine was suspended, a down upstream
// may be up again. It is then waited for as long as it usually takes, up to maxWelcome (R5).
const (
	leastPause = 5 * time.Second
	maxWelcome = 300 * time.Millisecond
)

// notePause notes that a query is asked, and has its receiver told later that the upstream is
// down, if it may reply all the same.
func (x *Exchange) notePause(now instant.Time) {
	u := x.u
	if now.Sub(u.asked) >= leastPause {
		u.pauseEnded = now
	}
	u.asked = now
	x.hopes(now)
}

// hopes reports whether a reply of a down upstream is waited for, and sets until when.
func (x *Exchange) hopes(now instant.Time) bool {
	u := x.u
	if !u.known.Down || x.cutOff() {
		return false
	}
	until := u.welcomeUntil()
	if u.lives(now) {
		until = later(until, x.livingUntil(now))
	}
	if !now.Before(until) {
		return false
	}
	x.wait.downAt = until
	return true
}

// welcomeUntil is until when the upstream is waited for after a pause.
func (u *Upstream) welcomeUntil() instant.Time {
	usual := u.known.RTT.Timeout()
	if u.cfg.ForceTCP {
		usual = u.known.StreamRTT.Timeout()
	}
	return u.pauseEnded.Add(min(usual, maxWelcome))
}

// A down upstream may live, and be silent to all names but its own, as a company's resolver is
// whose own way to the Internet is cut. Each query waits for it as long as it usually takes, as
// when it was up (R5); in these bounds, or maxWelcome if no reply was timed.
const (
	leastUsual = 100 * time.Millisecond
	mostUsual  = time.Second
)

// lives reports whether the upstream, which is down, does so: since it fell silent, it has taken a
// connection, and the last one that was tried; or it is known to answer some names and no probes.
func (u *Upstream) lives(now instant.Time) bool {
	return !u.conns.opened.IsZero() || u.known.Chooses(now)
}

// livingUntil is until when a reply of such an upstream is waited for. What had to wait for a
// connection is asked when that is there.
func (x *Exchange) livingUntil(now instant.Time) instant.Time {
	usual := x.u.known.Usual()
	if x.phase.onStream() {
		usual = max(usual, x.u.known.StreamRTT.Usual())
	}
	if usual == 0 {
		usual = maxWelcome
	}
	until := x.wait.silenceFrom.Add(min(max(usual, leastUsual), mostUsual))
	if !now.Before(until) && x.dials() {
		until = until.Add(known.LeastStall)
	}
	return until
}

// patience is how long a silence to the exchange makes the upstream down. It is somewhat
// longer while a connection is being dialled, if no packet was sent over UDP: there may have
// been nothing yet to reply to.
func (x *Exchange) patience() time.Duration {
	patience := x.u.patienceLocked()
	if x.dials() {
		patience += known.LeastStall
	}
	return patience
}

// dials reports whether the exchange waits for a connection, and has sent nothing over UDP.
func (x *Exchange) dials() bool {
	s := x.conn.stream
	return s != nil && s.state == dialling && x.conn.owed > 0 && x.udp.packets == 0
}

// silenceAt is when the upstream is to be probed or, after that, found to be down, if it does
// not reply until then; zero means never.
func (x *Exchange) silenceAt() instant.Time {
	if x.cutOff() {
		return instant.Never
	}
	patience := x.patience()
	silence := x.u.known.Deadline(x.wait.silenceFrom, patience)
	if !silence.IsZero() && !x.wait.probed {
		silence = silence.Add(-patience / 2)
	}
	return silence
}

// probeIsDue reports whether it is time to probe the upstream, by a question that it can answer
// at once: the exchange's own name may be one that takes long. It does so once for each
// exchange, and not if the upstream was probed just now for another.
func (x *Exchange) probeIsDue(now instant.Time) bool {
	if at := x.silenceAt(); x.wait.probed || at.IsZero() || now.Before(at) {
		return false
	}
	x.wait.probed = true
	return now.Sub(x.u.known.Probed) >= x.u.patienceLocked()/2
}

// typeSilenceAt is when the exchange counts as one that the upstream leaves without reply
// while it answers others, if it does so until then; zero means never.
func (x *Exchange) typeSilenceAt() instant.Time {
	if x.wait.silenceReported || x.phase == ended || x.cutOff() {
		return instant.Never
	}
	return x.wait.silenceFrom.Add(x.u.patienceLocked())
}

// noteTypeSilence notes, once for each exchange, that it is still without reply though others
// were answered meanwhile.
func (x *Exchange) noteTypeSilence(now instant.Time, out *outbox) {
	if due := x.typeSilenceAt(); due.IsZero() || now.Before(due) {
		return
	}
	x.wait.silenceReported = true
	u := x.u
	if x.isZoneProbe() {
		return
	}
	if !u.known.AnsweredOthers(x.wait.silenceFrom) {
		return
	}
	qtype := x.qtype()
	became, probe := u.known.Types.Unanswered(qtype, now, u.cfg.Patience/2)
	if probe {
		out.add(job{kind: probeOneJob, msg: packedQuery(".", qtype)})
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
