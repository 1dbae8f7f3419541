package upstream

import (
	"bytes"
	"context"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// sendLocked sends one packet, on the exchange's socket if it has one.
func (x *Exchange) sendLocked(now time.Time, out *outbox) {
	if x.phase == ended {
		return
	}
	x.lastPacketPlainLocked(now)
	if x.socket == nil {
		s, err := x.u.socketLocked(now, x.shunned)
		if err != nil {
			x.stepLocked(udpFailed, err, now, out)
			return
		}
		x.socket = s
		if x.packets > 0 { // the message may be on its way out of another socket just now
			x.msg = bytes.Clone(x.msg)
		}
		wire.Header(x.msg).SetID(s.addLocked(x))
	}
	x.socket.sentLocked(wire.Header(x.msg).ID(), now)
	if x.packets == 0 {
		x.rto = x.u.rtt.timeout()
	}
	x.due = now.Add(x.rto << x.packets)
	if latest := x.streamDue(); latest.After(now) && x.due.After(latest) {
		x.due = latest
	}
	x.packets++
	x.sent = now
	out.add(job{kind: sendJob, x: x, s: x.socket, msg: x.msg})
}

// sendBesideLocked sends one packet. If a stream was asked, what is due next stays what
// was due of that.
func (x *Exchange) sendBesideLocked(now time.Time, out *outbox) {
	due := x.due
	x.sendLocked(now, out)
	if x.phase.onStream() {
		x.due = due
	}
}

// streamDue is when a stream is asked at the latest: it has to have its time too,
// before the race is over or the upstream would be down.
func (x *Exchange) streamDue() time.Time {
	return x.begun.Add(min(x.u.cfg.Timeout/2, x.u.cfg.Patience/4*3))
}

// notSent is told that x's packet could not be written to s.
func (u *Upstream) notSent(x *Exchange, s *socket, err error) {
	var out outbox
	now := time.Now()
	u.mu.Lock()
	if passing(err) {
		x.unsentLocked(s, now, &out)
	} else {
		x.socketFailedLocked(s, err, now, &out)
	}
	u.mu.Unlock()
	u.do(&out)
}

const (
	maxUnsent  = 6 // packets that never left, an exchange, before a stream is asked too
	unsentWait = 2 * time.Millisecond
)

// unsentLocked makes a packet that did not leave due again soon; it does not count.
// When that has been so a few times, it may be for good.
func (x *Exchange) unsentLocked(s *socket, now time.Time, out *outbox) {
	if x.socket != s || !x.phase.onUDP() {
		return
	}
	x.packets--
	x.due = now.Add(unsentWait << x.unsent)
	if x.unsent < maxUnsent {
		x.unsent++
	} else if x.phase == overUDP {
		x.stepLocked(unanswered, nil, now, out)
	}
	out.add(job{kind: againJob, to: x.to})
}

// leaveSocketLocked takes the exchange off its socket; the next packet leaves on any.
func (x *Exchange) leaveSocketLocked() {
	if x.socket != nil {
		x.socket.removeLocked(wire.Header(x.msg).ID())
		x.socket = nil
	}
}

// socketFailedLocked sends the query once more on a fresh socket, or ends its way
// over UDP (R10). A connected socket whose source address is gone never works again,
// but the next one does.
func (x *Exchange) socketFailedLocked(s *socket, err error, now time.Time, out *outbox) {
	if x.socket != s {
		return
	}
	s.removeLocked(wire.Header(x.msg).ID())
	x.socket, x.shunned = nil, s
	if spoilt(err) {
		x.u.retireAllLocked()
	}
	if !x.phase.onUDP() {
		return
	}
	again := !x.retried && x.to.Waiting()
	x.retried = true
	if again {
		x.sendLocked(now, out)
	} else {
		x.stepLocked(udpFailed, err, now, out)
	}
}

// socketLocked returns one of the UDP sockets in use, chosen at random, but not the
// shunned one, which may be nil. It opens it if need be; an old one serves where that
// cannot be, as for lack of file descriptors.
func (u *Upstream) socketLocked(now time.Time, shunned *socket) (*socket, error) {
	i := int(u.random.uint16()) % maxSockets
	if shunned != nil && u.sockets[i] == shunned {
		i = (i + 1) % maxSockets
	}
	if s := u.sockets[i]; s != nil && !s.wornLocked(now) {
		return s, nil
	}
	fresh, err := u.openSocketLocked(i, now)
	if err == nil {
		return fresh, nil
	}
	for _, s := range u.sockets {
		if s != nil && s != shunned && len(s.pending) < maxPending {
			return s, nil
		}
	}
	return nil, err
}

// openSocketLocked opens a UDP socket and puts it into use at i, in place of another
// if there is one.
func (u *Upstream) openSocketLocked(i int, now time.Time) (*socket, error) {
	conn, err := u.dial(context.Background(), "udp")
	if err != nil {
		return nil, err
	}
	u.retireLocked(u.sockets[i])
	s := &socket{u: u, conn: conn, born: now, pending: make(pending)}
	u.sockets[i] = s
	go s.read()
	u.scheduleTidyLocked()
	return s, nil
}

// retireLocked takes the UDP socket out of use; replies are still read from it until
// none is pending.
func (u *Upstream) retireLocked(s *socket) {
	for i := range u.sockets {
		if u.sockets[i] != s || s == nil {
			continue
		}
		u.sockets[i] = nil
		if len(s.pending) == 0 {
			s.conn.Close()
		} else {
			u.retired = append(u.retired, s)
		}
	}
}

// retireSocketsLocked takes all UDP sockets out of use.
func (u *Upstream) retireSocketsLocked() {
	for _, s := range u.sockets {
		u.retireLocked(s)
	}
}

// retireAllLocked takes all sockets out of use after an error of one, or a silence:
// what is wrong with one, such as its source address, is wrong with all. Streams
// that owe a reply are left to show by themselves.
func (u *Upstream) retireAllLocked() {
	u.retireSocketsLocked()
	for i := len(u.streams) - 1; i >= 0; i-- { // from the end: close takes it off the list
		if s := u.streams[i]; s.open && len(s.pending) == 0 {
			s.closeLocked()
		}
	}
}
