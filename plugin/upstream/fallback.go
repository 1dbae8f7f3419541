package upstream

import (
	"bytes"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// keep takes a reply, to be handed on if there is no better one.
func (x *Exchange) keep(msg []byte) {
	if x.spare == nil {
		x.spare = new(fallback)
	}
	x.spare.msg = bytes.Clone(msg)
}

// keepTruncated takes a truncated one, to be handed on if the whole cannot be had (R8).
func (x *Exchange) keepTruncated(msg []byte, now instant.Time) {
	x.keep(msg)
	switch f := x.spare; {
	case !f.due.IsZero():
	case x.u.known.Stream.HasFailed():
		f.due = now.Add(known.LeastStall)
	default:
		f.due = x.begun.Add(x.u.cfg.Timeout / 4 * 3)
	}
}

// spareAt is when a truncated reply has to do; zero: there is none.
func (x *Exchange) spareAt() instant.Time {
	if x.spare == nil {
		return instant.Never
	}
	return x.spare.due
}

// wantsWhole goes over to a stream for the whole of a truncated reply, but not where
// streams have brought nothing lately; whether they do again is found out by a probe, which
// is not waited for.
func (x *Exchange) wantsWhole(now instant.Time, out *outbox) event {
	stream := &x.u.known.Stream
	if x.phase != overUDP || !stream.Hopeless() {
		return useless
	}
	if stream.TryAgain(now) {
		out.add(job{kind: probeJob})
	}
	return streamHopeless
}

// enlarge makes the query one for a reply of the size that the client takes: more than
// what surely comes in one piece, but where no stream brings the whole it is worth a try
// over UDP. It returns what has happened: nothing, if it was tried before or cannot help.
func (x *Exchange) enlarge(now instant.Time) event {
	f := x.spare
	latest := x.begun.Add(x.u.cfg.Timeout / 8 * 7) // a reply after that would be too late
	if x.spareAt().IsZero() || f.enlarged || x.u.cfg.ForceTCP || x.query.udpSize <= MaxUDPSize || !x.to.Waiting() || x.udp.sendsNoMore() || !now.Before(latest) {
		return nothing
	}
	larger := wire.WithUDPSize(x.query.msg, x.query.udpSize)
	if larger == nil {
		return nothing
	}
	f.enlarged, x.conn.failed = true, true
	x.leaveSocket()
	x.query.msg, x.udp.packets = larger, 0
	f.due = earliest(later(f.due, now.Add(2*x.u.known.RTT.Timeout())), latest)
	if x.conn.owed > 0 {
		return enlargedBeside
	}
	return enlarged
}

// earliest is the first of those times that are not zero, or zero.
func earliest(times ...instant.Time) (first instant.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

func later(a, b instant.Time) instant.Time {
	if a.After(b) {
		return a
	}
	return b
}
