package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
)

// begin asks over the path that the query wants, or over the other one if the wanted path has
// brought nothing lately (R6).
func (x *Exchange) begin(q *Query, now instant.Time, out *outbox) {
	e := startUDP
	if x.u.cfg.ForceTCP {
		e = startStreamOnly
	} else if stream, both := x.u.known.FirstPath(q.Stream, now); both || q.bothPaths {
		e = startBoth
	} else if stream || x.u.turns.full(x.question) && !x.probe {
		e = startStream
	}
	x.step(e, nil, now, out)
}

// restart has the exchange begin anew when Retry is called next.
func (x *Exchange) restart(now instant.Time, out *outbox) {
	x.passTurn(now, out)
	x.u.looks.forget(x)
	x.udp = datagramPath{due: now}
	x.conn = streamPath{due: now}
	x.wait = wait{silenceFrom: now, silenceReported: x.wait.silenceReported, zoneReported: x.wait.zoneReported, suspectReply: x.wait.suspectReply}
	if x.spare != nil {
		x.spare.due = instant.Never
	}
	e := restartUDP
	if x.u.cfg.ForceTCP {
		e = restartStream
	}
	x.step(e, nil, now, out)
}

// step takes an event: it changes the exchange's phase, which nothing else does, and carries
// out the action that follows. What comes of that may be another event, and so on until
// there is none. Err is the error that the event is about, if it is a failure.
func (x *Exchange) step(e event, err error, now instant.Time, out *outbox) {
	for e != nothing && x.phase != ended {
		e = x.note(e, err, now)
		var a action
		x.phase, a = x.phase.next(e)
		if x.udp.counted && !x.phase.hearsUDP() {
			x.passTurn(now, out)
		}
		e, err = x.act(a, err, now, out)
	}
}

// note notes what an event says of its path, and returns the event to go on with. If UDP
// fails, and streams have brought nothing for long, no stream is tried.
func (x *Exchange) note(e event, err error, now instant.Time) event {
	switch e {
	case udpFailed:
		x.udp.err = err
		if stream := &x.u.known.Stream; x.phase == overUDP && stream.Hopeless() && stream.Dead(now) && !stream.TryAgain(now) {
			return streamHopeless
		}
	case streamFailed, streamSlow:
		x.conn.failed = true
	}
	return e
}

// act carries out an action, and returns the event that comes of it.
func (x *Exchange) act(a action, err error, now instant.Time, out *outbox) (event, error) {
	if a != none && a != giveUp && x.cutOff() {
		x.waitForLink()
		x.waitForLook(nil, now)
		return nothing, nil
	}
	switch a {
	case sendPacket:
		return x.sendPacket(now, out)
	case askStream:
		x.u.streamLocked(now, instant.Never).askLocked(x, now)
	case askBoth:
		e, err := x.sendPacket(now, out)
		x.u.streamLocked(now, instant.Never).askLocked(x, now)
		return e, err
	case giveUp:
		return x.giveUp(err, now, out), nil
	}
	return nothing, nil
}

// giveUp ends the exchange with the fallback as its reply, or without one if there is none.
// If the fallback is a truncated reply, it is first asked for in a larger size; and before it
// fails its link is looked at.
func (x *Exchange) giveUp(err error, now instant.Time, out *outbox) event {
	if e := x.enlarge(now); e != nothing {
		return e
	}
	if x.spare != nil {
		if !x.spare.due.IsZero() { // it is truncated, and no stream has brought the whole one
			x.u.known.Stream.Failed(now)
		}
		out.add(job{kind: replyJob, to: x.to, msg: x.spare.msg, at: now})
		return gaveUp
	}
	if !x.cutOff() {
		again := x.u.looks.waits(x)
		if x.waitForLook(err, now) {
			if !again {
				x.waitForLink()
			}
			return nothing
		}
	}
	return x.fail(err, out)
}

// fail ends the exchange without a reply.
func (x *Exchange) fail(err error, out *outbox) event {
	if !x.wait.suspectReply { // else there was a reply, which may be true
		out.add(job{kind: failedJob, err: err})
	}
	out.add(job{kind: failJob, to: x.to, err: err})
	return gaveUp
}

// again has the exchange ask once more, now that the upstream replies again: also over a path
// that the exchange had given up, if the upstream replies over that one.
func (x *Exchange) again(now instant.Time, out *outbox) {
	x.wait.askedAgain = true
	x.udp.packets, x.conn.dials = min(x.udp.packets, maxPackets-1), min(x.conn.dials, maxDials-1)
	switch k := &x.u.known; {
	case x.phase == overUDPLast && k.Stream.RepliedSince(x.udp.sent):
		x.conn.failed = false
		x.step(streamReplies, nil, now, out)
		x.udp.due = x.conn.due
	case x.phase == overStream && x.udp.err != nil && k.UDP.RepliedSince(x.conn.due):
		x.udp.err = nil
		x.step(udpReplies, nil, now, out)
		x.conn.due = x.udp.due
	default:
		x.udp.due, x.conn.due = now, now
	}
}

// spent reports whether the exchange has sent all that it may, and only waits.
func (x *Exchange) spent() bool {
	return x.phase != ended && !x.phase.more(x.udp.packets, x.conn.dials)
}

// againAt is when an exchange that has nothing more to try, though the upstream replies to
// others, asks once more: its packets may have been lost. Zero means never.
func (x *Exchange) againAt() instant.Time {
	last := x.u.known.Last
	switch {
	case x.wait.askedAgain || !x.spent() || x.u.known.Down:
	case x.phase == overUDPLast && last.After(x.udp.sent):
		return x.udp.sent.Add(4 * x.udp.rto)
	case x.phase == overStream && last.After(x.conn.due):
		return x.conn.due.Add(known.LeastStall)
	}
	return instant.Never
}

// retryUDPAt is when there is more to try over UDP; zero means never.
func (x *Exchange) retryUDPAt() instant.Time {
	if x.down() || x.udp.sendsNoMore() || !x.phase.sendsMore(x.udp.packets, x.conn.dials) {
		return instant.Never
	}
	return x.udp.due
}

// retryStreamAt is when another stream is to be tried; zero means never.
func (x *Exchange) retryStreamAt() instant.Time {
	if x.down() || !x.phase.asksMore(x.conn.dials) {
		return instant.Never
	}
	return x.conn.due
}
