package upstream

import (
	"bytes"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// progress of an exchange over one transport.
type progress uint8

const (
	untried progress = iota
	underway
	spent // answered, failed, or given up
)

// Exchange is one query to one upstream and the wait for its reply. There can be
// very many, for it stays until the reply comes or is given up, also when
// nobody waits for it any longer; so it is small and refers to little.
type Exchange struct {
	u         *Upstream
	begun     time.Time
	truncated Truncated

	// Guarded by u.mu.
	watched  time.Time // since when a silence would be noticed
	expected time.Time // when Retry should be called next; zero: never
	to       Receiver
	msg      []byte    // the query, with the id used over UDP
	due      time.Time // when Retry has something to do
	done     bool      // Reply or Fail was called
	udp, tcp progress
	missed   bool // there was a near miss
	probed   bool // whether the upstream talks at all

	// Of UDP.
	socket  *socket       // nil: none yet, or it failed
	shunned *socket       // the one that failed
	spare   []byte        // a truncated reply, better than none
	rto     time.Duration // to wait for a reply to the first packet
	packets uint8         // so many were sent
	retried bool          // a socket failed since the last packet was due

	// Of TCP.
	stream  *stream // the latest
	streams uint8   // so many may still bring a reply
	dials   uint8   // so many were tried in vain
	hangups uint8   // so many ended early, but had been of use

	short [56]byte // what most queries fit in
}

// Ask sends q to the resolver. What comes of it is told to to, possibly before
// Ask returns. It also returns when Retry should be called first; zero means
// never.
func (u *Upstream) Ask(q *Query, to Receiver) (x *Exchange, next time.Time) {
	now := time.Now()
	x = &Exchange{u: u, begun: now, watched: now, truncated: q.Truncated, to: to}
	x.msg = append(x.short[:0], q.Msg...)
	u.mu.Lock()
	var (
		s   *socket
		msg []byte
		err error
	)
	if q.Stream || u.cfg.ForceTCP {
		x.openTCP(now)
	} else {
		s, msg, err = x.enter(now)
	}
	next = x.next()
	down := u.health.down
	u.mu.Unlock()
	if s != nil || err != nil {
		x.transmit(s, msg, err)
	}
	if down {
		u.tellDown(to)
	}
	return x, next
}

// tellDown tells that the upstream is down. It may have come up in the meantime,
// and told so: that has to be its last word.
func (u *Upstream) tellDown(to Receiver) {
	to.Down()
	u.mu.Lock()
	up := !u.health.down
	u.mu.Unlock()
	if up {
		to.Up()
	}
}

// overslept is how late Retry can be called before this process must have been
// stopped, as that of a paused virtual machine is. Then it was this side that did
// not listen, and a silence begins anew.
const overslept = time.Second

// next is when Retry should be called; zero means never. u.mu is held.
func (x *Exchange) next() time.Time {
	x.expected = x.soonest()
	return x.expected
}

func (x *Exchange) soonest() time.Time {
	if x.done {
		return time.Time{}
	}
	soonest := x.dueOrSilent()
	if enough := x.spareTime(); !enough.IsZero() && (soonest.IsZero() || enough.Before(soonest)) {
		return enough
	}
	return soonest
}

// spareTime is when a truncated reply has to do, lest there be none; zero means
// that there is no such reply. u.mu is held.
func (x *Exchange) spareTime() time.Time {
	if x.spare == nil {
		return time.Time{}
	}
	return x.begun.Add(x.u.cfg.Timeout / 4 * 3)
}

// dueOrSilent is when there is more to try, or a silence to note; zero means never.
// u.mu is held.
func (x *Exchange) dueOrSilent() time.Time {
	silent := x.u.health.deadline(x.watched, x.u.cfg.Patience)
	if !silent.IsZero() && !x.probed {
		silent = silent.Add(-x.u.cfg.Patience / 2)
	}
	if x.wants() && (silent.IsZero() || x.due.Before(silent)) {
		return x.due
	}
	return silent
}

// Retry does what is due at now: it sends an unanswered query again, goes over
// to TCP after the last packet, tries another connection, and finds out that the
// upstream is down. Before, it asks something that takes no time: it may be the
// name that is slow. It returns when it should be called next; zero means never.
// A down upstream is sent nothing more.
func (x *Exchange) Retry(now time.Time) (next time.Time) {
	u := x.u
	u.mu.Lock()
	if x.done {
		u.mu.Unlock()
		return time.Time{}
	}
	if enough := x.spareTime(); !enough.IsZero() && !now.Before(enough) {
		u.mu.Unlock()
		x.fail(errNoOpen)
		return time.Time{}
	}
	var waiting []Receiver
	var silence time.Duration
	if !x.expected.IsZero() && now.Sub(x.expected) > overslept {
		x.watched, x.probed = now, false
	}
	toProbe := x.toProbe(now)
	if u.health.silent(x.watched, now, u.cfg.Patience) {
		waiting = u.waiting()
		silence = now.Sub(x.watched)
		u.retireAll() // the silence may be theirs
	}
	due := x.wants() && !now.Before(x.due)
	overUDP := x.tcp != underway
	last := x.packets >= maxPackets
	if due && overUDP {
		x.retried = false // its socket was all right until now
		if x.packets == 1 {
			u.rtt.expired()
		}
	}
	u.mu.Unlock()

	if silence > 0 {
		u.cfg.Observer.Down(silence, len(waiting))
	}
	for _, to := range waiting {
		u.tellDown(to)
	}
	if toProbe {
		u.probe()
	}
	switch {
	case !due:
	case !overUDP:
		x.anotherStream(now)
	case last:
		x.overTCP(now, nil)
	default:
		u.cfg.Observer.Retransmitted()
		x.send(now)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return x.next()
}

// toProbe reports whether it is time to ask the upstream something else, once, and
// not for each exchange that waits. u.mu is held.
func (x *Exchange) toProbe(now time.Time) bool {
	u := x.u
	if silent := u.health.deadline(x.watched, u.cfg.Patience); x.probed || silent.IsZero() || now.Before(silent.Add(-u.cfg.Patience/2)) {
		return false
	}
	x.probed = true
	return now.Sub(u.probed) >= u.cfg.Patience/2
}

// wants reports whether there is more to try when it is due: another packet,
// then TCP, then another connection, for the one at hand may have lost its
// source address without a word. u.mu is held.
func (x *Exchange) wants() bool {
	switch {
	case x.done || x.u.health.down:
		return false
	case x.tcp == underway:
		return x.dials < maxDials
	}
	return x.udp == underway && (x.tcp == untried || x.packets < maxPackets)
}

// anotherStream asks on another connection, unless that would be the same. Where
// none can be opened, because a filter drops the packets of TCP, UDP may pass.
func (x *Exchange) anotherStream(now time.Time) {
	x.u.mu.Lock()
	s := x.u.stream(now, now.Add(-x.u.stallAfter()))
	if s != x.stream {
		s.ask(x, now)
	} else { // it is still being dialled, or speaks but not of this
		x.due = now.Add(x.u.stallAfter())
	}
	udp := !s.open && !x.u.cfg.ForceTCP && x.udp != spent && x.packets < maxPackets
	x.u.mu.Unlock()
	if udp {
		x.send(now)
	}
}

// send sends one packet, on the exchange's socket if it has one.
func (x *Exchange) send(now time.Time) {
	x.u.mu.Lock()
	if x.done {
		x.u.mu.Unlock()
		return
	}
	s, msg, err := x.enter(now)
	x.u.mu.Unlock()
	x.transmit(s, msg, err)
}

// enter makes the exchange ready for its next packet, and returns the socket to
// send it on and the packet, or why there is none. u.mu is held.
func (x *Exchange) enter(now time.Time) (*socket, []byte, error) {
	if x.socket == nil {
		s, err := x.u.socket(now, x.shunned)
		if err != nil {
			return nil, nil, err
		}
		x.socket = s
		if x.packets > 0 { // the message may be on its way out of another socket just now
			x.msg = bytes.Clone(x.msg)
		}
		wire.Header(x.msg).SetID(s.pending.add(x, x.u.random))
	}
	x.socket.sent(wire.Header(x.msg).ID(), now)
	if x.packets == 0 {
		x.rto = x.u.rtt.timeout()
	}
	x.udp = underway
	x.due = now.Add(x.rto << x.packets)
	if latest := x.begun.Add(x.u.cfg.Timeout / 2); latest.After(now) && x.due.After(latest) {
		x.due = latest // TCP has to have its time too
	}
	x.packets++
	return x.socket, x.msg, nil
}

// transmit writes the packet that enter made ready.
func (x *Exchange) transmit(s *socket, msg []byte, err error) {
	if err != nil {
		x.udpFailed(err)
		return
	}
	if _, err := s.conn.Write(msg); err != nil {
		x.socketFailed(s, err)
	}
}

// openTCP goes on over TCP, if that was not tried yet. u.mu is held.
func (x *Exchange) openTCP(now time.Time) {
	if x.tcp == untried && !x.done {
		x.tcp = underway
		x.u.stream(now, time.Time{}).ask(x, now)
	}
}

// overTCP goes on over TCP because of err; a nil error is no failure of UDP.
func (x *Exchange) overTCP(now time.Time, err error) {
	x.u.mu.Lock()
	x.openTCP(now)
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
		delete(s.pending, wire.Header(x.msg).ID())
		x.socket, x.shunned = nil, s
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

// streamFailed is told that s ended without a reply. It asks again on a fresh
// connection, if that makes sense, or ends the way over TCP. A resolver may close an
// idle connection at the moment that a query is on its way (RFC 7766, section
// 6.2.4), or each after a reply or a few. One that was given up to make room for another
// does not count: nothing but silence ends it so, and that has to show as such.
func (x *Exchange) streamFailed(s *stream, err error, again bool) {
	now := time.Now()
	x.u.mu.Lock()
	x.streams--
	if s.used && err != errGivenUp && x.hangups < maxHangups {
		x.hangups++
		x.dials--
	}
	again = again || err == errNoOpen // there was no time yet for a SYN to be lost and sent again
	crowded := x.u.isCrowded(now)
	more := x.dials < maxDials || err == errGivenUp
	if (again || crowded) && more && x.streams == 0 && !x.done && x.to.Waiting() {
		if s.open && s.exchanger == nil && x.dials+x.hangups > 1 && !crowded {
			x.u.streamAlone(now).ask(x, now)
		} else {
			x.u.stream(now, now).ask(x, now)
		}
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

func (x *Exchange) fail(err error) {
	x.u.mu.Lock()
	to := x.end()
	x.u.mu.Unlock()
	switch {
	case to == nil:
	case x.spare != nil:
		to.Reply(x.spare)
	default:
		x.u.cfg.Observer.Failed(err)
		to.Fail(err)
	}
}

// keep takes a truncated reply, to be handed on if there is none over TCP: as far
// as it goes, for there is no more to be had.
func (x *Exchange) keep(msg []byte) {
	if wire.Check(msg) == nil {
		x.spare = bytes.Clone(msg)
		wire.Header(x.spare).SetTruncated(false)
	}
}

// withoutEDNS makes the exchange one without EDNS, if reply is that of a server
// which does not know it (RFC 6891, section 7). The query is to be sent again then.
// u.mu is held.
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

// end ends the exchange and returns who is to be told, or nil if it has ended
// already. u.mu is held.
func (x *Exchange) end() Receiver {
	if x.done {
		return nil
	}
	x.done = true
	return x.to
}
