package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/ports"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	maxUnsent  = 6 // packets that never left, an exchange, before a stream is asked too
	unsentWait = 2 * time.Millisecond
)

// sendPacket sends one packet, on the exchange's socket if it has one, and returns what
// comes of that.
func (x *Exchange) sendPacket(now time.Time, out *outbox) (event, error) {
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

// streamBy is when a stream is asked at the latest: it has to have its time too, before
// the race is over or the upstream would be down.
func (x *Exchange) streamBy() time.Time {
	return x.begun.Add(min(x.u.cfg.Timeout/2, x.u.cfg.Patience/4*3))
}

// packetNotSent makes a packet that did not leave due again soon; it does not count. When
// that has been so a few times, it may be for good.
func (x *Exchange) packetNotSent(now time.Time) event {
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

// maxWrongIDs is after how many near misses the path over UDP is at its end: up to then the
// reply that is on its way is still taken. Each is a guess at one of 65,536 ids.
const maxWrongIDs = 2 + 32

// nearlyReplied takes note of what would be a reply but for its id, and returns what that
// means. After the first one, another port and id are tried, once, should the stream fail;
// after that nothing more is sent, but a reply is still waited for.
func (x *Exchange) nearlyReplied() (event, error) {
	p := &x.udp
	p.wrongIDs = min(p.wrongIDs+1, maxWrongIDs)
	switch p.wrongIDs {
	case 1:
		p.failedSocket, p.socket = p.socket, nil // but it stays in the table of that
		return forged, errNearMiss
	case maxWrongIDs:
		return udpFailed, ErrForged
	}
	return nothing, nil
}

// sendsNoMore reports whether there were so many near misses that nothing more is sent.
func (p *datagramPath) sendsNoMore() bool { return p.wrongIDs > 1 }

// distrusts reports whether a reply with the right id is not taken: there were too many with
// wrong ids before, or some, and this one has not even the question.
func (x *Exchange) distrusts(reply []byte) bool {
	return x.udp.wrongIDs == maxWrongIDs || x.udp.wrongIDs > 0 && wire.Header(reply).Questions() == 0
}

// leaveSocket takes the exchange off its socket; the next packet leaves on any.
func (x *Exchange) leaveSocket() {
	if x.udp.socket != nil {
		x.udp.socket.removeLocked(x.udp.id)
		x.udp.socket = nil
	}
}

// socketFailed takes the exchange off a socket that failed, and returns what that means for
// it: another port is tried, once, and then the path over UDP is at its end (R10).
func (x *Exchange) socketFailed(err error, now time.Time) event {
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
