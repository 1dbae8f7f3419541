package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// replied takes msg, which matches the exchange's query, for a reply to it. It came over
// socket or over stream, the other is nil, and has been taken off the table of that. A
// reply that comes too late for everybody only says that the upstream replies.
func (x *Exchange) replied(msg []byte, socket *socket, stream *stream, now instant.Time, out *outbox) {
	k := &x.u.known
	if stream != nil {
		k.Stream.Works(now)
	} else {
		k.UDP.Works(now)
	}
	k.Fastest.Sample(now.Sub(x.begun))
	x.noteTypeAnswered(out)
	x.noteZoneAnswered(msg, now, out)
	x.learnSigning(msg, now)
	if x.probe {
		k.Easy = now
	} else if k.Down {
		out.add(job{kind: probeJob}) // does it answer that, too?
	}
	if stream != nil && x.phase.onUDP() && x.udp.packets >= maxPackets {
		// Three losses, or ports that no longer lead anywhere.
		x.u.renewSocketsLocked(now)
	}
	switch {
	case x.phase == ended, socket != nil && !x.phase.hearsUDP():
	case socket != nil && !x.to.Waiting():
		if takesLate(x.to, false) && usable(msg, TruncatedAnswers) == nil {
			out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, at: now})
		}
		x.step(answered, nil, now, out)
		x.count(msg, now, out)
	case x.rejectsEDNS(msg, now):
		if stream != nil {
			stream.askLocked(x, now)
		} else {
			x.leaveSocket()
			x.udp.packets = 0
			x.step(sendAgain, nil, now, out)
		}
	default:
		x.judge(msg, socket, stream, now, out)
	}
	x.u.heardLocked(socket != nil, now, out)
}

// judge hands msg on if it is usable, and goes over another path otherwise.
func (x *Exchange) judge(msg []byte, socket *socket, stream *stream, now instant.Time, out *outbox) {
	overStream := stream != nil
	truncated := x.query.truncated
	if overStream {
		truncated = TruncatedAnswers // there is no more to be had
	}
	if x.wasNotEDNS(msg) {
		msg, socket = x.spare.msg, nil
	}
	err := usable(msg, truncated)
	switch {
	case err == nil && !overStream && x.u.suspects(msg):
		out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, at: now})
		x.count(msg, now, out)
		x.wait.suspectReply, x.wait.silenceReported = true, true
	case err == nil:
		x.learnPaths(overStream, now)
		x.step(answered, nil, now, out)
		out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, stream: overStream, at: now})
		x.count(msg, now, out)
	case overStream:
		x.step(x.streamBringsNothing(), err, now, out)
	case err == errTruncated && wire.Check(msg) == nil:
		x.keepTruncated(msg, now)
		x.step(x.wantsWhole(now, out), errTruncated, now, out)
	default:
		x.step(useless, err, now, out)
	}
}

// learnPaths notes that a path brought nothing to an exchange which the other one answers:
// UDP, if it was asked in vain; streams, if none could be opened soon, or none brought a
// reply.
func (x *Exchange) learnPaths(overStream bool, now instant.Time) {
	p := &x.udp
	switch {
	case overStream && (p.err != nil || x.phase == overBoth && (p.packets >= maxPackets || p.unsent >= maxUnsent)):
		x.u.known.UDP.Failed(now)
	case !overStream && x.conn.failed:
		x.u.known.Stream.Failed(now)
	}
}

// suspects reports whether a reply over UDP may be forged.
func (u *Upstream) suspects(reply []byte) bool {
	return u.cfg.Suspect != nil && u.cfg.Suspect(reply)
}

// count has the reply counted, but not that to a probe. Of an exchange with several it is
// the first.
func (x *Exchange) count(msg []byte, now instant.Time, out *outbox) {
	if !x.probe && !x.wait.suspectReply {
		out.add(job{kind: repliedJob, msg: msg, took: now.Sub(x.begun)})
	}
}
