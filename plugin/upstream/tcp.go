package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// askStreamLocked asks over a stream.
func (x *Exchange) askStreamLocked(now time.Time) {
	if x.u.link == link.Gone {
		x.strandLocked()
		return
	}
	x.u.streamLocked(now, time.Time{}).askLocked(x, now)
}

// anotherStreamLocked asks on another stream, unless that would be the same. Where
// none can be opened, because a filter drops the packets of TCP, or none says
// anything, UDP may pass.
func (x *Exchange) anotherStreamLocked(now time.Time, out *outbox) {
	s := x.u.streamLocked(now, now.Add(-x.u.stallAfterLocked()))
	if s != x.stream {
		s.askLocked(x, now)
	} else { // it is still being dialled, or speaks but not of this
		x.due = now.Add(x.u.stallAfterLocked())
	}
	switch {
	case s.open && x.dials < 2:
	case x.udpErr != nil && !s.open && x.spareDue.IsZero() && x.u.presence.stream.dead(now): // the error may be that of both
		x.u.presence.stream.failed(now)
		x.failLocked(x.udpErr, now, out)
	case !x.spareDue.IsZero():
		x.enlargeLocked(now, out)
	case x.packets < maxPackets:
		x.stepLocked(streamSlow, nil, now, out)
	}
}

// streamEndedLocked is told that s ended without a reply. It asks again on a fresh
// one, if that makes sense, or ends the way over streams. A resolver may close an
// idle connection at the moment that a query is on its way (RFC 7766, section
// 6.2.4), or each after a reply or a few. One that was given up to make room for
// another does not count: nothing but silence ends it so, and that has to show as
// such. While s owes others, a reply that shows its use may be on its way yet.
func (x *Exchange) streamEndedLocked(s *stream, err error, again bool, now time.Time, out *outbox) {
	x.owed--
	if (s.used || s.pending.Len() > 0) && err != errGivenUp && x.hangups < maxHangups && x.dials > 0 {
		x.hangups++
		x.dials--
	}
	again = again || err == errNoOpen // there was no time yet for a SYN to be lost and sent again
	crowded := x.u.crowdedLocked(now)
	more := x.dials < maxDials || err == errGivenUp
	if (again || crowded) && more && x.owed == 0 && x.phase != ended && x.to.Waiting() {
		if s.open && s.tripper == nil && x.dials+x.hangups > 1 && !crowded {
			x.u.streamAloneLocked(now).askLocked(x, now)
		} else {
			x.u.streamLocked(now, now).askLocked(x, now)
		}
	}
	x.streamUselessLocked(err, now, out)
}

// streamUselessLocked ends the way over streams, unless one may still bring a reply.
func (x *Exchange) streamUselessLocked(err error, now time.Time, out *outbox) {
	if x.owed == 0 {
		x.stepLocked(streamFailed, err, now, out)
	}
}
