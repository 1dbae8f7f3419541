package upstream

import (
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// repliedLocked takes msg, which matches the exchange's query, for a reply to it. It
// came over socket or over stream, the other is nil, and has been taken off the
// table of that. A reply that is of no use to anybody any more only says that the
// upstream talks.
func (x *Exchange) repliedLocked(msg []byte, socket *socket, stream *stream, now time.Time, out *outbox) {
	if stream != nil && x.phase.onUDP() && x.packets >= maxPackets {
		// Three losses, or sockets whose source address no longer leads anywhere.
		x.u.retireSocketsLocked()
	}
	switch {
	case x.phase == ended, socket != nil && !x.phase.onUDP():
	case socket != nil && !x.to.Waiting():
		x.endLocked(msg, now, out)
	case x.withoutEDNS(msg):
		if stream != nil {
			stream.askLocked(x, now)
		} else {
			socket.removeLocked(wire.Header(msg).ID())
			x.socket, x.packets = nil, 0
			x.sendLocked(now, out)
		}
	default:
		x.judgeLocked(msg, socket, stream, now, out)
	}
	x.u.heardLocked(now, out)
}

// judgeLocked hands msg on if it is of use, and goes another way otherwise.
func (x *Exchange) judgeLocked(msg []byte, socket *socket, stream *stream, now time.Time, out *outbox) {
	truncated := x.truncated
	if stream != nil {
		truncated = TruncatedAnswers // there is no more to be had
	}
	err := usable(msg, truncated)
	switch {
	case err == nil:
		to := x.to
		x.phase, _ = x.phase.next(answered)
		out.add(job{kind: replyJob, to: to, msg: msg, s: socket, stream: stream != nil, at: now})
		x.countLocked(msg, now, out)
	case stream != nil:
		x.streamUselessLocked(err, now, out)
	default:
		if err == errTruncated && wire.Check(msg) == nil {
			x.keep(msg)
		}
		x.stepLocked(useless, err, now, out)
	}
}

// endLocked ends an exchange that nobody waits for with its reply.
func (x *Exchange) endLocked(msg []byte, now time.Time, out *outbox) {
	x.phase, _ = x.phase.next(answered)
	x.countLocked(msg, now, out)
}

// countLocked has the reply counted, but that of a probe: nobody asked.
func (x *Exchange) countLocked(msg []byte, now time.Time, out *outbox) {
	if _, probe := x.to.(prober); !probe {
		out.add(job{kind: repliedJob, msg: msg, took: now.Sub(x.begun)})
	}
}

// withoutEDNS makes the exchange one without EDNS, if reply is that of a server
// which does not know it (R13; RFC 6891, section 7). The query is to be sent again then.
func (x *Exchange) withoutEDNS(reply []byte) bool {
	if wire.Header(reply).Rcode() != dns.RcodeFormatError || wire.Header(reply).Additionals() > 0 {
		return false
	}
	plain := wire.WithoutOPT(x.msg)
	if plain == nil {
		return false
	}
	x.msg = plain
	return true
}
