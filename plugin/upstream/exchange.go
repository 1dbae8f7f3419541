package upstream

import "time"

// Exchange is one query to one upstream and the wait for its reply. There can be
// very many, for it stays until the reply comes or is given up, also when
// nobody waits for it any longer; so it is small and refers to little.
type Exchange struct {
	u         *Upstream
	begun     time.Time
	truncated Truncated

	// Guarded by u.mu.
	phase   phase
	to      Receiver
	msg     []byte    // the query, which others may share
	due     time.Time // when a reply is due, and there may be more to try
	wake    time.Time // when Retry should be called next; zero: never
	watched time.Time // since when a silence would be noticed
	probed  bool      // whether the upstream talks at all
	again   bool      // it was asked again after a silence
	unheard bool      // its silence was noticed while others were answered
	doubted bool      // there was a reply, but it may be forged
	plain   plainness // why the message goes without EDNS
	full    []byte    // the message with EDNS, if its last packet goes without

	// Of UDP.
	id      uint16
	socket  *socket       // nil: none yet, or it failed
	shunned *socket       // the one that failed
	sent    time.Time     // when the last was
	unsent  uint8         // times that the network took no packet just then, up to maxUnsent
	rto     time.Duration // to wait for a reply to the first packet
	packets uint8         // so many were sent
	missed  bool          // there was a near miss
	retried bool          // a socket failed since the last packet was due

	udpErr error // why UDP is of no use; nil: it may be, or a stream has a better chance

	// Of truncated replies.
	spare    []byte    // one that is better than none; or one that rejected EDNS
	spareDue time.Time // when it has to do, lest there be none; zero: there is no such
	size     uint16    // of replies that the client takes over UDP
	enlarged bool      // this size was asked for

	// Of streams.
	stream       *stream // the latest
	owed         uint8   // so many may still bring a reply
	dials        uint8   // so many were asked, but for those that hung up
	hangups      uint8   // so many ended early, but had been of use
	streamFailed bool    // none could be opened soon, or none brought a reply
}

// pausedFor is how late Retry can be called before this process must have been
// stopped, as that of a paused virtual machine is. Then it was this side that did
// not listen, and a silence begins anew.
const pausedFor = time.Second

// Ask sends q to the resolver. What comes of it is told to to, possibly before
// Ask returns. It also returns when Retry should be called first; zero means
// never.
func (u *Upstream) Ask(q *Query, to Receiver) (x *Exchange, wake time.Time) {
	alone := NewBatch()
	x, wake = u.ask(q, to, alone)
	alone.Send()
	return x, wake
}

// ask leaves packets to the batch.
func (u *Upstream) ask(q *Query, to Receiver, batch *Batch) (x *Exchange, wake time.Time) {
	out := batch.outbox()
	now := batch.now
	x = new(Exchange) // and filled there, for stacks of those that ask are small
	x.u, x.begun, x.watched, x.to = u, now, now, to
	x.msg, x.truncated, x.size = q.Msg, q.Truncated, q.UDPSize
	u.mu.Lock()
	x.avoidEDNSLocked(now)
	x.beginLocked(q, now, out)
	wake = x.wakeLocked()
	if u.presence.down || len(u.presence.hearing) > 0 {
		x.tellPresenceLocked(out)
	}
	u.mu.Unlock()
	if out.n > 0 {
		u.do(out)
		out.empty()
	}
	return x, wake
}

// tellPresenceLocked has the receiver told that the upstream need not be waited for.
func (x *Exchange) tellPresenceLocked(out *outbox) {
	if x.u.presence.down {
		out.add(x.u.presence.job(x.to))
	}
	if x.u.presence.hearing.deaf(x.qtype()) {
		out.add(job{kind: deafJob, to: x.to})
	}
}

// beginLocked asks on the way that the query wants, or on the other one if that has
// brought nothing lately; now and then on both, to see whether it does again (R6).
func (x *Exchange) beginLocked(q *Query, now time.Time, out *outbox) {
	udp, stream := &x.u.presence.udp, &x.u.presence.stream
	first := q.Stream
	both := false
	switch {
	case x.u.cfg.ForceTCP:
		x.phase = overStream
		x.askStreamLocked(now)
		return
	case q.everyWay:
		both = true
	case first && stream.blocked(enoughStream) && !udp.blocked(enoughUDP):
		first, both = false, stream.tryAgain(now)
	case !first && udp.blocked(enoughUDP) && !stream.blocked(enoughStream):
		first, both = true, udp.tryAgain(now)
	}
	switch {
	case both:
		x.phase = overBoth
	case first:
		x.phase = overStreamFirst
	}
	if !first || both {
		x.sendLocked(now, out)
	}
	if (first || both) && x.phase != ended {
		x.askStreamLocked(now)
	}
}

// Retry does what is due at now: it sends an unanswered query again, goes over
// to a stream after the last packet, tries another connection (R6), and finds out
// that the upstream is down (R5). It returns when it should be called next; zero
// means never. A down upstream is sent nothing more.
func (x *Exchange) Retry(now time.Time) (wake time.Time) {
	var out outbox
	x.u.mu.Lock()
	x.retryLocked(now, &out)
	x.u.mu.Unlock()
	x.u.do(&out)
	x.u.mu.Lock()
	defer x.u.mu.Unlock()
	return x.wakeLocked()
}

// Release says that the receiver is to be told nothing more: it may be large, and the
// exchange stays until the reply comes or is given up.
func (x *Exchange) Release() {
	x.u.mu.Lock()
	defer x.u.mu.Unlock()
	x.to = nobody{}
}

func (x *Exchange) retryLocked(now time.Time, out *outbox) {
	if x.phase == ended {
		return
	}
	if !x.spareDue.IsZero() && !now.Before(x.spareDue) {
		x.failLocked(errNoOpen, now, out)
		return
	}
	if !x.wake.IsZero() && now.Sub(x.wake) > pausedFor {
		x.watched, x.probed = now, false
	}
	if x.u.probeDueLocked(x, now) {
		out.add(job{kind: probeJob})
	}
	due := x.moreLocked() && !now.Before(x.due)
	x.u.silentLocked(x, now, out)
	x.unheardLocked(now, out)
	if again := x.againDueLocked(); !again.IsZero() && !now.Before(again) {
		x.againLocked(now, out)
		due = x.moreLocked() && !now.Before(x.due)
	}
	if !due || x.u.presence.down {
		return
	}
	if x.phase.onStream() {
		x.anotherStreamLocked(now, out)
		return
	}
	x.retried = false // its socket was all right until now
	if x.packets == 1 && x.unsent == 0 {
		x.u.rtt.expired()
	}
	if x.packets >= maxPackets || !now.Before(x.streamDue()) {
		x.stepLocked(unanswered, nil, now, out)
		if !x.again && x.sent.Before(x.u.presence.resumed) {
			x.againLocked(now, out)
		}
		if x.packets >= maxPackets {
			return
		}
	}
	out.add(job{kind: retransmittedJob})
	x.sendBesideLocked(now, out)
}

// stepLocked moves the exchange on, and does what is to be done then. Err is that of
// the event, if it is a failure.
func (x *Exchange) stepLocked(e event, err error, now time.Time, out *outbox) {
	switch e {
	case udpFailed:
		x.udpErr = err
		if stream := &x.u.presence.stream; x.phase == overUDP && stream.hopeless() && stream.dead(now) && !stream.tryAgain(now) {
			x.failLocked(err, now, out)
			return
		}
	case streamFailed, streamSlow:
		x.streamFailed = true
	}
	phase, step := x.phase.next(e)
	if step == fail {
		x.failLocked(err, now, out)
		return
	}
	x.phase = phase
	switch step {
	case sendPacket:
		x.sendLocked(now, out)
	case askStream:
		x.askStreamLocked(now)
	}
}

// failLocked ends the exchange without a reply, but for a truncated one if there is
// that.
func (x *Exchange) failLocked(err error, now time.Time, out *outbox) {
	if x.phase == ended {
		return
	}
	if !x.spareDue.IsZero() && x.enlargeLocked(now, out) {
		return
	}
	x.phase = ended
	if x.spare != nil {
		if !x.spareDue.IsZero() { // UDP has brought this
			x.u.presence.stream.failed(now)
		}
		out.add(job{kind: replyJob, to: x.to, msg: x.spare, at: now})
		return
	}
	if !x.doubted { // else there is a reply
		out.add(job{kind: failedJob, err: err})
	}
	out.add(job{kind: failJob, to: x.to, err: err})
}

// wakeLocked is when Retry should be called next; zero means never.
func (x *Exchange) wakeLocked() time.Time {
	x.wake = time.Time{}
	if x.phase != ended {
		x.wake = earliest(x.dueLocked(), x.silenceDueLocked(), x.unheardDueLocked(), x.againDueLocked(), x.spareDue)
	}
	return x.wake
}

// dueLocked is when there is more to try; zero means never.
func (x *Exchange) dueLocked() time.Time {
	if !x.moreLocked() {
		return time.Time{}
	}
	return x.due
}

// moreLocked reports whether there is more to try.
func (x *Exchange) moreLocked() bool {
	return !x.u.presence.down && x.phase.more(x.packets, x.dials)
}

// againLocked lets the exchange ask once more, now that the upstream talks again: also
// on the way that it had given up, if that is where it talks.
func (x *Exchange) againLocked(now time.Time, out *outbox) {
	since := x.due
	x.again = true
	x.due = now
	x.packets, x.dials = min(x.packets, maxPackets-1), min(x.dials, maxDials-1)
	switch {
	case x.phase == overUDPLast && x.u.presence.stream.talked(x.sent):
		x.streamFailed = false
		x.stepLocked(streamTalks, nil, now, out)
	case x.phase == overStream && x.udpErr != nil && x.u.presence.udp.talked(since):
		x.udpErr = nil
		x.stepLocked(udpTalks, nil, now, out)
	}
}

// againDueLocked is when an exchange that has nothing more to try, though the upstream
// talks to others, asks once more: its packets may have been lost. Zero means never.
func (x *Exchange) againDueLocked() time.Time {
	switch {
	case x.again || !x.spentLocked() || x.u.presence.down:
	case x.phase == overUDPLast && x.u.presence.last.After(x.sent):
		return x.sent.Add(4 * x.rto)
	case x.phase == overStream && x.u.presence.last.After(x.due):
		return x.due.Add(leastStall)
	}
	return time.Time{}
}

// spentLocked reports whether nothing more is tried.
func (x *Exchange) spentLocked() bool {
	return x.phase != ended && !x.phase.more(x.packets, x.dials)
}

// silenceDueLocked is when a silence would be noticed, or the upstream probed before
// that; zero means never.
func (x *Exchange) silenceDueLocked() time.Time {
	patience := x.u.patienceLocked()
	silence := x.u.presence.deadline(x.watched, patience)
	if !silence.IsZero() && !x.probed {
		silence = silence.Add(-patience / 2)
	}
	return silence
}

// earliest is the first of those times that are not zero, or zero.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}
