package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
)

// anotherStream asks on another stream, unless that would be the same, and returns what the
// look for one has shown. Where none can be opened, because a filter drops the packets of
// TCP, or none replies, UDP may pass.
func (x *Exchange) anotherStream(now instant.Time) event {
	u := x.u
	s := u.streamLocked(now, now.Add(-u.known.Stall()))
	if s != x.conn.stream {
		s.askLocked(x, now)
	} else { // it is still being dialled, or replies but not to this
		x.conn.due = now.Add(u.known.Stall())
	}
	switch {
	case s.state.connected() && x.conn.dials < 2:
		return nothing
	case x.udp.err != nil && !s.state.connected() && x.spareAt().IsZero() && u.known.Stream.Dead(now): // the error may be that of both
		u.known.Stream.Failed(now)
		return streamHopeless
	case !x.spareAt().IsZero():
		return x.enlarge(now)
	case x.udp.packets < maxPackets:
		return streamSlow
	}
	return nothing
}

// streamEnded is told that s ended without a reply. It asks again on a fresh one, if that
// makes sense, or ends the path over streams. A resolver may close an idle connection at
// the moment that a query is on its way (RFC 7766, section 6.2.4), or each after a reply or
// a few. One that was given up to make room for another does not count: nothing but silence
// ends it so, and that has to show as such. While s owes others, a reply that shows its use
// may be on its way yet.
func (x *Exchange) streamEnded(s *stream, err error, again bool, now instant.Time) event {
	u, p := x.u, &x.conn
	p.owed--
	if (s.used || s.pending.Len() > 0) && err != errGivenUp && p.closedEarly < maxClosedEarly && p.dials > 0 {
		p.closedEarly++
		p.dials--
	}
	again = again || err == errNotConnected // there was no time yet for a SYN to be lost and sent again
	limited := u.limitedLocked(now)
	more := p.dials < maxDials || err == errGivenUp
	if (again || limited) && more && p.owed == 0 && x.phase != ended && x.to.Waiting() {
		if s.everOpen() && s.tripper == nil && p.dials+p.closedEarly > 1 && !limited {
			u.streamAloneLocked(now).askLocked(x, now)
		} else {
			u.streamLocked(now, now).askLocked(x, now)
		}
	}
	return x.streamBringsNothing()
}

// streamBringsNothing ends the path over streams, unless one may still bring a reply.
func (x *Exchange) streamBringsNothing() event {
	if x.conn.owed > 0 {
		return nothing
	}
	return streamFailed
}
