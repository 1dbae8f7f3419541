package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// repliedLocked takes msg, which matches the exchange's query, for a reply to it. It
// came over socket or over stream, the other is nil, and has been taken off the
// table of that. A reply that is of no use to anybody any more only says that the
// upstream talks.
func (x *Exchange) repliedLocked(msg []byte, socket *socket, stream *stream, now time.Time, out *outbox) {
	if stream != nil {
		x.u.presence.stream.works(now)
	} else {
		x.u.presence.udp.works(now)
	}
	x.u.presence.pace.sample(now.Sub(x.begun))
	x.hearsLocked(out)
	x.learnSigningLocked(msg, now)
	if stream != nil && x.phase.onUDP() && x.packets >= maxPackets {
		// Three losses, or ports that no longer lead anywhere.
		x.u.retireSocketsLocked(now)
	}
	switch {
	case x.phase == ended, socket != nil && !x.phase.onUDP():
	case socket != nil && !x.to.Waiting():
		if takesLate(x.to) && usable(msg, TruncatedAnswers) == nil {
			out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, at: now})
		}
		x.endLocked(msg, now, out)
	case x.rejectsEDNSLocked(msg, now):
		if stream != nil {
			stream.askLocked(x, now)
		} else {
			x.leaveSocketLocked()
			x.packets = 0
			x.sendLocked(now, out)
		}
	default:
		x.judgeLocked(msg, socket, stream, now, out)
	}
	x.u.heardLocked(socket != nil, now, out)
}

// judgeLocked hands msg on if it is of use, and goes another way otherwise.
func (x *Exchange) judgeLocked(msg []byte, socket *socket, stream *stream, now time.Time, out *outbox) {
	overStream := stream != nil
	truncated := x.truncated
	if overStream {
		truncated = TruncatedAnswers // there is no more to be had
	}
	if x.plain == rejected && failure(wire.Rcode(msg)) && wire.Check(x.spare) == nil {
		msg, socket = x.spare, nil // it was not about EDNS
	}
	err := usable(msg, truncated)
	switch {
	case err == nil && stream == nil && x.u.doubtful(msg):
		out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, at: now})
		x.countLocked(msg, now, out)
		x.doubted, x.unheard = true, true
	case err == nil:
		x.learnWaysLocked(stream, now)
		x.phase, _ = x.phase.next(answered)
		out.add(job{kind: replyJob, to: x.to, msg: msg, s: socket, stream: overStream, at: now})
		x.countLocked(msg, now, out)
	case stream != nil:
		x.streamUselessLocked(err, now, out)
	default:
		if err == errTruncated && wire.Check(msg) == nil {
			x.keepLocked(msg, now)
			x.truncatedLocked(now, out)
			return
		}
		x.stepLocked(useless, err, now, out)
	}
}

// learnWaysLocked notes that a way brought nothing to an exchange which the other one
// answers: UDP, if it was asked in vain; streams, if none could be opened soon, or
// none brought a reply.
func (x *Exchange) learnWaysLocked(stream *stream, now time.Time) {
	switch {
	case stream != nil && (x.udpErr != nil || x.phase == overBoth && (x.packets >= maxPackets || x.unsent >= maxUnsent)):
		x.u.presence.udp.failed(now)
	case stream == nil && x.streamFailed:
		x.u.presence.stream.failed(now)
	}
}

// endLocked ends an exchange that nobody waits for with its reply.
func (x *Exchange) endLocked(msg []byte, now time.Time, out *outbox) {
	x.phase, _ = x.phase.next(answered)
	x.countLocked(msg, now, out)
}

// doubtful reports whether a reply over UDP may be forged.
func (u *Upstream) doubtful(reply []byte) bool {
	return u.cfg.Doubtful != nil && u.cfg.Doubtful(reply)
}

// countLocked has the reply counted, but that of a probe: nobody asked. Of an exchange
// with several it is the first.
func (x *Exchange) countLocked(msg []byte, now time.Time, out *outbox) {
	if _, probe := x.to.(prober); !probe && !x.doubted {
		out.add(job{kind: repliedJob, msg: msg, took: now.Sub(x.begun)})
	}
}
