package upstream

import (
	"encoding/binary"
	"time"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// progress of an exchange over one transport.
type progress int

const (
	untried progress = iota
	underway
	spent // answered, failed, or given up
)

// Exchange is one query to one upstream and the wait for its reply.
type Exchange struct {
	u     *Upstream
	q     *Query
	to    Receiver
	begun time.Time

	// Guarded by u.mu.
	done     bool // Reply or Fail was called
	udp, tcp progress
	missed   bool // there was a near miss

	// Of UDP.
	socket  *socket // nil: none yet, or it failed
	id      uint16
	packet  []byte
	packets int           // so many were sent
	rto     time.Duration // to wait for a reply to the first
	sent    time.Time     // the latest
	due     time.Time     // when the next should be
	retried bool          // a socket failed already

	// Of TCP.
	stream    *stream   // the latest
	streams   int       // so many may still bring a reply
	dials     int       // so many were tried
	streamDue time.Time // when another should be tried
}

// Ask sends q to the resolver. What comes of it is told to to, possibly before
// Ask returns.
func (u *Upstream) Ask(q *Query, to Receiver) *Exchange {
	now := time.Now()
	x := &Exchange{u: u, q: q, to: to, begun: now}
	if q.Stream || u.cfg.ForceTCP {
		x.overTCP(now, nil)
	} else {
		x.send(now)
	}
	u.mu.Lock()
	down := u.health.down
	u.mu.Unlock()
	if down {
		to.Down()
	}
	return x
}

// Retry does what is due at now: it sends an unanswered query again, goes over
// to TCP after the last packet, tries another connection, and finds out that the
// upstream is down. It returns when it should be called next; zero means never.
// A down upstream is sent nothing more.
func (x *Exchange) Retry(now time.Time) (next time.Time) {
	u := x.u
	u.mu.Lock()
	if x.done {
		u.mu.Unlock()
		return time.Time{}
	}
	var waiting []Receiver
	if u.health.silent(x.begun, now, u.cfg.Patience) {
		waiting = u.waiting()
		u.retireAll() // the silence may be theirs
	}
	udp, tcp := reached(x.dueUDP(), now), reached(x.dueTCP(), now)
	if udp && x.packets == 1 {
		u.rtt.expired()
	}
	last := x.packets == maxPackets
	u.mu.Unlock()

	for _, to := range waiting {
		to.Down()
	}
	switch {
	case udp && last:
		x.overTCP(now, nil)
	case udp:
		x.send(now)
	case tcp:
		x.anotherStream(now)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return earliest(u.health.deadline(x.begun, u.cfg.Patience), x.dueUDP(), x.dueTCP())
}

// reached reports whether the time is due at now; a zero one never is.
func reached(due, now time.Time) bool { return !due.IsZero() && !now.Before(due) }

// dueUDP is when a packet should be followed by another, or by TCP; zero means
// never. u.mu is held.
func (x *Exchange) dueUDP() time.Time {
	if x.done || x.u.health.down || x.udp != underway || x.tcp != untried {
		return time.Time{}
	}
	return x.due
}

// dueTCP is when another connection should be tried, because the one at hand
// brings nothing: it may have lost its source address without a word. Zero means
// never. u.mu is held.
func (x *Exchange) dueTCP() time.Time {
	if x.done || x.u.health.down || x.tcp != underway || x.dials >= maxDials {
		return time.Time{}
	}
	return x.streamDue
}

// anotherStream asks on another connection, unless that would be the same.
func (x *Exchange) anotherStream(now time.Time) {
	x.u.mu.Lock()
	defer x.u.mu.Unlock()
	if s := x.u.stream(now, true); s != x.stream {
		s.ask(x, now)
	} else { // it is still being dialled
		x.streamDue = now.Add(stallAfter)
	}
}

// earliest returns the earliest of some times of which each may be zero.
func earliest(times ...time.Time) (first time.Time) {
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// send sends one packet, on the exchange's socket if it has one.
func (x *Exchange) send(now time.Time) {
	u := x.u
	u.mu.Lock()
	if x.done {
		u.mu.Unlock()
		return
	}
	if x.socket == nil {
		s, err := u.socket(now)
		if err != nil {
			u.mu.Unlock()
			x.udpFailed(err)
			return
		}
		x.socket, x.id = s, s.pending.add(x)
		x.packet = append(make([]byte, 0, len(x.q.Msg)), x.q.Msg...)
		wire.Header(x.packet).SetID(x.id)
	}
	if x.packets == 0 {
		x.rto = u.rtt.timeout()
	}
	x.udp = underway
	x.sent, x.due = now, now.Add(x.rto<<x.packets)
	x.packets++
	s, packet := x.socket, x.packet
	u.mu.Unlock()

	if _, err := s.conn.Write(packet); err != nil {
		x.socketFailed(s, err)
	}
}

// overTCP goes on over TCP because of err; a nil error is no failure of UDP.
func (x *Exchange) overTCP(now time.Time, err error) {
	x.u.mu.Lock()
	if x.tcp == untried && !x.done {
		x.tcp = underway
		x.u.stream(now, false).ask(x, now)
	}
	failed := x.tcp == spent
	x.u.mu.Unlock()
	if failed && err != nil {
		x.tcpFailed(err)
	}
}

// socketFailed sends the query once more on a fresh socket, or ends its way
// over UDP. A connected socket whose source address is gone never works again,
// but the next one does.
func (x *Exchange) socketFailed(s *socket, err error) {
	u := x.u
	u.mu.Lock()
	its := x.socket == s
	if its {
		delete(s.pending, x.id)
		x.socket = nil
	}
	if spoilt(err) {
		u.retireAll()
	}
	if x.done || !its {
		u.mu.Unlock()
		return
	}
	again := !x.retried && x.to.Waiting()
	x.retried = true
	u.mu.Unlock()
	if again {
		x.send(time.Now())
	} else {
		x.udpFailed(err)
	}
}

// udpFailed ends the way over UDP, and the exchange with it unless TCP is tried
// already.
func (x *Exchange) udpFailed(err error) {
	x.u.mu.Lock()
	x.udp = spent
	wait := x.tcp == underway
	x.u.mu.Unlock()
	if !wait {
		x.fail(err)
	}
}

// streamFailed asks once more on a fresh connection, or ends the way over TCP.
// A resolver may close an idle connection at the moment that a query is on its
// way (RFC 7766, section 6.2.4).
func (x *Exchange) streamFailed(err error) {
	now := time.Now()
	x.u.mu.Lock()
	x.streams--
	if x.streams == 0 && !x.done && x.dials < maxDials && x.to.Waiting() {
		x.u.stream(now, true).ask(x, now)
	}
	left := x.streams
	x.u.mu.Unlock()
	if left == 0 {
		x.tcpFailed(err)
	}
}

// tcpFailed ends the way over TCP, and the exchange with it unless UDP may
// still bring an answer.
func (x *Exchange) tcpFailed(err error) {
	x.u.mu.Lock()
	x.tcp = spent
	udp := x.udp
	x.u.mu.Unlock()
	switch {
	case udp == underway:
	case udp == untried && !x.u.cfg.ForceTCP:
		x.send(time.Now())
	default:
		x.fail(err)
	}
}

// frame returns the query with id as sent over TCP: length and message in one
// piece (RFC 7766, section 8).
func (x *Exchange) frame(id uint16) []byte {
	b := make([]byte, 2, 2+len(x.q.Msg))
	binary.BigEndian.PutUint16(b, uint16(len(x.q.Msg)))
	b = append(b, x.q.Msg...)
	wire.Header(b[2:]).SetID(id)
	return b
}

func (x *Exchange) reply(msg []byte) {
	if x.end() {
		x.to.Reply(msg)
	}
}

func (x *Exchange) fail(err error) {
	if x.end() {
		x.to.Fail(err)
	}
}

// end reports whether the caller is the one that ends the exchange.
func (x *Exchange) end() bool {
	x.u.mu.Lock()
	defer x.u.mu.Unlock()
	first := !x.done
	x.done = true
	return first
}
