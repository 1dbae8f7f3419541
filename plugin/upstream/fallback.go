package upstream

import (
	"bytes"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/known"
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
