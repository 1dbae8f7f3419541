package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	maxUnsent  = 6 // packets of an exchange that could not be sent, before a stream is asked too
	unsentWait = 2 * time.Millisecond
)

// sendPacket sends one packet, on the exchange's socket if it has one, and returns what
// comes of that.
func (x *Exchange) sendPacket(now instant.Time, out *outbox) (event, error) {
	p := &x.udp
	if p.wrongIDs == maxWrongIDs {
		return udpFailed, ErrForged
	}
	if p.sendsNoMore() || !x.mayAskUDP(now) {
		return nothing, nil
	}
	if p.packets == maxPackets-1 {
		x.lastPacketPlain(now)
	}
	if p.socket == nil {
		s, err := x.u.socketLocked(now, p.failedSocket, out)
		if err != nil {
			return udpFailed, err
		}
		p.socket, p.id = s, s.addLocked(x)
	}
	p.socket.sentLocked(p.id, now)
	if p.packets == 0 {
		p.rto = x.u.known.RTT.Timeout()
	}
	p.due = now.Add(p.rto << p.packets)
	if latest := x.streamBy(); latest.After(now) && p.due.After(latest) {
		p.due = latest
	}
	p.packets++
	p.sent = now
	out.send(x)
	return nothing, nil
}

// streamBy is when a stream is asked at the latest, so that it has time to reply before the
// race is over or the upstream counts as down.
func (x *Exchange) streamBy() instant.Time {
	return x.begun.Add(min(x.u.cfg.Timeout/2, x.u.cfg.Patience/4*3))
}

// packetNotSent takes back a packet that could not be sent, which is then tried again soon.
// After a few times nothing may ever get through, and a stream is asked, too.
func (x *Exchange) packetNotSent(now instant.Time) event {
	p := &x.udp
	p.packets--
	p.due = now.Add(unsentWait << p.unsent)
	if x.phase.onStream() {
		p.due = now.Add(max(unsentWait<<p.unsent, p.rto))
	}
	if p.unsent < maxUnsent {
		p.unsent++
		return nothing
	}
	if x.phase == overUDP {
		return unanswered
	}
	return nothing
}

// maxWrongIDs is after how many near misses the path over UDP ends: until then the true reply,
// which may be on its way, is still taken. Each near miss is a guess at one of 65,536 ids.
const maxWrongIDs = 2 + 32

// nearlyReplied takes note of what would be a reply but for its id, and returns what that
// means. After the first one, another port and id are tried, once, should the stream fail;
// after that nothing more is sent, but a reply is still waited for.
func (x *Exchange) nearlyReplied() (event, error) {
	p := &x.udp
	p.wrongIDs = min(p.wrongIDs+1, maxWrongIDs)
	switch p.wrongIDs {
	case 1:
		p.failedSocket, p.socket = p.socket, nil // which still has x in its table, for the true reply
		return forged, errNearMiss
	case maxWrongIDs:
		return udpFailed, ErrForged
	}
	return nothing, nil
}

// sendsNoMore reports whether there were so many near misses that nothing more is sent.
func (p *datagramPath) sendsNoMore() bool { return p.wrongIDs > 1 }

// distrusts reports whether a reply is not taken though its id is right: after too many near
// misses, or after some, if it does not repeat the question.
func (x *Exchange) distrusts(reply []byte) bool {
	return x.udp.wrongIDs == maxWrongIDs || x.udp.wrongIDs > 0 && wire.Header(reply).Questions() == 0
}

// leaveSocket takes the exchange off its socket; the next packet may leave from any.
func (x *Exchange) leaveSocket() {
	if x.udp.socket != nil {
		x.udp.socket.removeLocked(x.udp.id)
		x.udp.socket = nil
	}
}

// socketFailed takes the exchange off a socket that failed, and returns what that means for
// it: another port is tried, once, and then the path over UDP ends (R10).
func (x *Exchange) socketFailed(err error, now instant.Time) event {
	p := &x.udp
	failed := p.socket
	x.leaveSocket()
	p.failedSocket = failed
	if ports.BreaksSocket(err) {
		x.u.renewAllLocked(now)
	}
	if !x.phase.onUDP() {
		return nothing
	}
	again := !p.retried && x.to.Waiting()
	p.retried = true
	if again {
		return sendAgain
	}
	return udpFailed
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
