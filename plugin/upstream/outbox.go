package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// outbox is work to be done once the upstream's lock is released: what could wait, as
// the sending of a packet, and what calls others, who may call back. Whoever takes
// the lock fills one, releases the lock, and has it done by [Upstream.do].
type outbox struct {
	n     int    // of first
	first [2]job // most need no more, and no allocation then
	more  []job
	batch *together // takes packets, to be sent later; nil: each is a job
}

// together are packets that leave together.
type together struct {
	ports.Batch
	socket int // which one of each upstream's is used; -1: it was not drawn yet
}

type job struct {
	kind   jobKind
	s      *socket // of sendJob, and of replyJob if the reply came over one
	to     Receiver
	msg    []byte // of sendJob, probeOneJob, replyJob and repliedJob; of zoneJob, the zone
	id     uint16 // of sendJob
	stream bool   // of replyJob: it came over one
	err    error
	at     instant.Time  // of the reply
	took   time.Duration // a reply, a silence
	n      int           // exchanges that wait
	is     bool          // down, or unresponsive; of unresponsiveJob: for the name, not the type
	qtype  uint16
	turn   uint64
	link   link.State
}

type jobKind uint8

const (
	sendJob jobKind = iota
	probeJob
	probeOneJob
	probe64Job
	// To a Receiver.
	replyJob
	failJob
	healthJob
	doubtfulJob
	againJob
	unresponsiveJob
	// To the Observer.
	repliedJob
	failedJob
	retransmittedJob
	nearMissJob
	downJob
	upJob
	linkJob
	typeJob
	zoneJob
)

func (o *outbox) add(j job) {
	if o.n < len(o.first) {
		o.first[o.n] = j
		o.n++
		return
	}
	o.more = append(o.more, j)
}

// send has the exchange's packet sent.
func (o *outbox) send(x *Exchange) {
	if o.batch != nil {
		o.batch.Add(x.udp.socket.Socket, x.udp.id, x.query.msg)
		return
	}
	o.add(job{kind: sendJob, s: x.udp.socket, id: x.udp.id, msg: x.query.msg})
}

// tellHealth tells the receiver of an exchange whether its upstream is down to it. If that is
// for want of the link, the look comes first that the exchange waits for.
func (o *outbox) tellHealth(x *Exchange) {
	if x.cutOff() && x.u.looks.waits(x) {
		return
	}
	o.add(job{kind: healthJob, to: x.to, is: x.down(), turn: x.u.known.Turn})
}

// draw returns which of an upstream's sockets is used: one for all that leave together.
func (o *outbox) draw(u *Upstream, now instant.Time) int {
	if o.batch == nil {
		return u.cfg.Ports.Draw(u.random, now)
	}
	if o.batch.socket < 0 {
		o.batch.socket = u.cfg.Ports.Draw(u.random, now)
	}
	return o.batch.socket
}

// empty makes it one that has no work, for the next.
func (o *outbox) empty() {
	clear(o.first[:o.n])
	o.n, o.more = 0, nil
}
