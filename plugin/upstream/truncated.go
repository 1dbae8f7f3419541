package upstream

import (
	"bytes"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// keepLocked takes a truncated reply, to be handed on if the whole cannot be had (R8).
func (x *Exchange) keepLocked(msg []byte, now time.Time) {
	x.spare = bytes.Clone(msg)
	switch {
	case !x.spareDue.IsZero():
	case x.u.presence.stream.failures > 0:
		x.spareDue = now.Add(leastStall)
	default:
		x.spareDue = x.begun.Add(x.u.cfg.Timeout / 4 * 3)
	}
}

// truncatedLocked goes over to a stream for the whole of a truncated reply, but not
// where streams have brought nothing lately; whether they do again is found out by a
// probe, for which nobody waits.
func (x *Exchange) truncatedLocked(now time.Time, out *outbox) {
	stream := &x.u.presence.stream
	if x.phase == overUDP && stream.hopeless() {
		if stream.tryAgain(now) {
			out.add(job{kind: probeJob})
		}
		x.phase = overStream
		x.stepLocked(streamFailed, errTruncated, now, out)
		return
	}
	x.stepLocked(useless, errTruncated, now, out)
}

// enlargeLocked asks once more over UDP, for a reply of the size that the client
// takes: more than what surely comes in one piece, but where no stream brings the
// whole it is worth a try. It reports whether it does.
func (x *Exchange) enlargeLocked(now time.Time, out *outbox) bool {
	if x.enlarged || x.u.cfg.ForceTCP || x.size <= MaxUDPSize || !x.to.Waiting() {
		return false
	}
	larger := wire.WithUDPSize(x.msg, x.size)
	if larger == nil {
		return false
	}
	x.enlarged, x.streamFailed = true, true
	x.leaveSocketLocked()
	x.msg, x.packets = larger, 0
	if x.phase = overUDPLast; x.owed > 0 {
		x.phase = overBoth
	}
	x.sendBesideLocked(now, out)
	x.spareDue = earliest(later(x.spareDue, now.Add(2*x.rto)), x.begun.Add(x.u.cfg.Timeout/8*7))
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
