package upstream

import (
	"bytes"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// outbox is work to be done once the upstream's lock is let go: what could wait, as
// the sending of a packet, and what calls others, who may call back. Whoever takes
// the lock fills one, lets go, and has it done by [Upstream.do].
type outbox struct {
	n     int    // of first
	first [2]job // most need no more, and no allocation then
	more  []job
	batch *Batch // takes packets, to be sent later; nil: each is a job
}

type job struct {
	kind   jobKind
	s      *socket // of sendJob, and of replyJob if the reply came over one
	to     Receiver
	msg    []byte // of sendJob, replyJob and repliedJob
	id     uint16 // of sendJob
	stream bool   // of replyJob: it came over one
	err    error
	at     time.Time     // of the reply
	took   time.Duration // a reply, a silence
	n      int           // exchanges that wait
	down   bool          // of presenceJob; of hearingJob: deaf
	qtype  uint16
	turn   uint64
	link   link.State
}

type jobKind uint8

const (
	sendJob jobKind = iota
	probeJob
	probeTypeJob
	// To a Receiver.
	replyJob
	failJob
	presenceJob
	againJob
	deafJob
	// To the Observer.
	repliedJob
	failedJob
	retransmittedJob
	nearMissJob
	downJob
	upJob
	linkJob
	hearingJob
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
		o.batch.packets.Add(x.socket.Socket, x.id, x.msg)
		return
	}
	o.add(job{kind: sendJob, s: x.socket, id: x.id, msg: x.msg})
}

// empty makes it one that has no work, for the next.
func (o *outbox) empty() {
	clear(o.first[:o.n])
	o.n, o.more = 0, nil
}

// do does the work, in order. The lock must not be held.
func (u *Upstream) do(o *outbox) {
	for i := range o.first[:o.n] {
		u.doJob(&o.first[i])
	}
	for i := range o.more {
		u.doJob(&o.more[i])
	}
}

func (u *Upstream) doJob(j *job) {
	switch j.kind {
	case sendJob:
		alone := NewBatch()
		alone.packets.Add(j.s.Socket, j.id, j.msg)
		alone.Send()
	case probeJob:
		u.probe()
	case probeTypeJob:
		u.probeType(j.qtype)
	case replyJob:
		msg := j.msg
		if j.s != nil { // it is in the buffer that the next packet is read into
			msg = bytes.Clone(msg)
		}
		j.to.Reply(msg, j.at, j.stream)
	case failJob:
		j.to.Fail(j.err)
	case presenceJob:
		j.to.Presence(j.down, j.turn)
	case againJob:
		j.to.Again()
	case deafJob:
		j.to.Unresponsive()
	case repliedJob:
		u.cfg.Observer.Replied(wire.Header(j.msg).Rcode(), j.took)
	case failedJob:
		u.cfg.Observer.Failed(j.err)
	case retransmittedJob:
		u.cfg.Observer.Retransmitted()
	case nearMissJob:
		u.cfg.Observer.NearMiss()
	case downJob:
		u.cfg.Observer.Down(j.turn, j.took, j.n)
	case upJob:
		u.cfg.Observer.Up(j.turn, j.took)
	case linkJob:
		u.cfg.Observer.Link(j.link, j.turn)
	case hearingJob:
		u.cfg.Observer.Hearing(j.qtype, j.down)
	}
}
