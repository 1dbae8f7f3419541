package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// sendLocked sends one packet, on the exchange's socket if it has one.
func (x *Exchange) sendLocked(now time.Time, out *outbox) {
	if x.phase == ended {
		return
	}
	if x.u.link == link.Gone {
		x.strandLocked()
		return
	}
	if x.packets == maxPackets-1 {
		x.lastPacketPlainLocked(now)
	}
	if x.socket == nil {
		s, err := x.u.socketLocked(now, x.shunned, out.batch)
		if err != nil {
			x.stepLocked(udpFailed, err, now, out)
			return
		}
		x.socket, x.id = s, s.addLocked(x)
	}
	x.socket.sentLocked(x.id, now)
	if x.packets == 0 {
		x.rto = x.u.rtt.timeout()
	}
	x.due = now.Add(x.rto << x.packets)
	if latest := x.streamDue(); latest.After(now) && x.due.After(latest) {
		x.due = latest
	}
	x.packets++
	x.sent = now
	out.send(x)
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

// NotSent implements ports.Owner.
func (s *socket) NotSent(id uint16, err error) {
	var out outbox
	now := time.Now()
	s.u.mu.Lock()
	switch x := s.pending.Get(id); {
	case x == nil:
	case ports.IsTransient(err):
		x.unsentLocked(s, now, &out)
	default:
		x.socketFailedLocked(s, err, now, &out)
	}
	s.u.mu.Unlock()
	s.u.do(&out)
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
		x.socket.removeLocked(x.id)
		x.socket = nil
	}
}

// socketFailedLocked sends the query once more on a fresh socket, or ends its way
// over UDP (R10).
func (x *Exchange) socketFailedLocked(s *socket, err error, now time.Time, out *outbox) {
	if x.socket != s {
		return
	}
	s.removeLocked(x.id)
	x.socket, x.shunned = nil, s
	if ports.BreaksSocket(err) {
		x.u.retireAllLocked(now)
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

// socketLocked returns the socket on one of the ports in use, which is that of the batch,
// or drawn at random, but not the shunned one. Batch and shunned may be nil.
func (u *Upstream) socketLocked(now time.Time, shunned *socket, batch *Batch) (*socket, error) {
	i := batch.draw(u.random)
	if shunned != nil && u.sockets[i] == shunned {
		i = (i + 1) % ports.InUse
	}
	if s := u.sockets[i]; s != nil && !s.wornLocked(now) {
		return s, nil
	}
	fresh, err := u.openSocketLocked(i, now)
	if err == nil {
		return fresh, nil
	}
	for _, s := range u.sockets {
		if s != nil && s != shunned && !s.pending.Full() {
			return s, nil
		}
	}
	return nil, err
}

// openSocketLocked puts a socket on the i-th port into use, in place of another if there
// is one.
func (u *Upstream) openSocketLocked(i int, now time.Time) (*socket, error) {
	s := &socket{u: u}
	part, err := u.cfg.Ports.Join(s, u.peer, i, now)
	if err != nil {
		return nil, err
	}
	s.Socket = part
	u.retireLocked(u.sockets[i])
	u.sockets[i] = s
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
		if s.pending.Len() == 0 {
			s.Close()
		} else {
			u.retired = append(u.retired, s)
		}
	}
}

// retireSocketsLocked takes all UDP sockets out of use, for others on fresh ports; but not
// if that was done for somebody just now, and too often.
func (u *Upstream) retireSocketsLocked(now time.Time) {
	if !u.cfg.Ports.Renew(now) {
		return
	}
	for _, s := range u.sockets {
		u.retireLocked(s)
	}
}

// retireAllLocked takes all sockets out of use after an error of one, or a silence:
// what is wrong with one is wrong with all. Streams that owe a reply are left to show by
// themselves.
func (u *Upstream) retireAllLocked(now time.Time) {
	u.retireSocketsLocked(now)
	for i := len(u.streams) - 1; i >= 0; i-- { // from the end: close takes it off the list
		if s := u.streams[i]; s.open && s.pending.Len() == 0 {
			s.closeLocked()
		}
	}
}
