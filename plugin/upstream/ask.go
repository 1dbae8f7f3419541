package upstream

import (
	"bytes"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Ask sends q to the resolver. What comes of it is reported to to, possibly before
// Ask returns. It also returns when Retry should be called first; zero means
// never.
func (u *Upstream) Ask(q *Query, to Receiver) (x *Exchange, wake instant.Time) {
	alone := NewBatch()
	x, wake = u.ask(q, to, alone)
	alone.Send()
	return x, wake
}

// Ask asks u as [Upstream.Ask] does, but what is to be sent over UDP at once is left to
// Send.
func (b *Batch) Ask(u *Upstream, q *Query, to Receiver) (x *Exchange, wake instant.Time) {
	return u.ask(q, to, b)
}

// ask leaves packets to the batch.
func (u *Upstream) ask(q *Query, to Receiver, batch *Batch) (x *Exchange, wake instant.Time) {
	out, now := &batch.out, batch.now
	x = new(Exchange) // and filled there, for stacks of those that ask are small
	x.u, x.begun, x.wait.silenceFrom, x.to = u, now, now, to
	x.query.msg, x.query.truncated, x.query.udpSize = q.Msg, q.Truncated, q.UDPSize
	x.probe, x.overLink, x.question = q.probe, q.OverLink, q.questionCount()
	u.mu.Lock()
	x.avoidEDNS(now)
	x.begin(q, now, out)
	u.tidySoonLocked(now)
	if !q.probe {
		x.notePause(now)
	}
	if x.down() || len(u.known.Types)+len(u.known.Zones) > 0 {
		x.tellNotWaitedFor(out)
	}
	wake = x.wakeAt()
	u.mu.Unlock()
	if out.n > 0 {
		u.do(out)
		out.empty()
	}
	return x, wake
}

// tellNotWaitedFor tells the receiver of an exchange that begins if it need not wait for a
// reply. It is not inlined, for stacks of those that ask are small.
//
//go:noinline
func (x *Exchange) tellNotWaitedFor(out *outbox) {
	if x.down() {
		if x.wait.downAt.IsZero() {
			out.tellHealth(x)
		} else if x.wait.downAt.After(x.u.welcomeUntil()) {
			out.add(job{kind: doubtfulJob, to: x.to})
		}
	}
	if forType, forName := x.u.unresponsive(wire.Question(x.query.msg)); forType || forName {
		out.add(job{kind: unresponsiveJob, to: x.to, is: !forType})
	}
}

// Retry does what is due at now: it sends an unanswered query again, goes over
// to a stream after the last packet, tries another connection (R6), and finds out
// that the upstream is down (R5). It returns when it should be called next; zero
// means never. A down upstream is sent nothing more.
func (x *Exchange) Retry(now instant.Time) (wake instant.Time) {
	var out outbox
	x.u.mu.Lock()
	x.retry(now, &out)
	x.u.mu.Unlock()
	x.u.do(&out)
	x.u.mu.Lock()
	defer x.u.mu.Unlock()
	if wake = x.wakeAt(); !wake.IsZero() {
		wake = later(wake, now) // what has become due meanwhile is due now
	}
	return wake
}

// Release says that the receiver is to be told nothing more: it may be large, and the
// exchange stays until the reply comes or is given up.
func (x *Exchange) Release() {
	x.u.mu.Lock()
	x.to = nobody{}
	var wakes Receiver
	if next := x.leaveTurn(); next != nil {
		next.udp.due, wakes = instant.Now(), next.to
	}
	x.u.mu.Unlock()
	if wakes != nil {
		wakes.Again()
	}
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
	case probeOneJob:
		u.Ask(&Query{Msg: j.msg, probe: true}, prober{})
	case probe64Job:
		u.Ask(&Query{Msg: ipv4only, probe: true}, prober64{u: u})
	case replyJob:
		msg := j.msg
		if j.s != nil { // it is in the buffer that the next packet is read into
			msg = bytes.Clone(msg)
		}
		j.to.Reply(msg, j.at, j.stream)
	case failJob:
		j.to.Fail(j.err)
	case healthJob:
		j.to.Health(j.is, j.turn)
	case doubtfulJob:
		j.to.Doubtful()
	case againJob:
		j.to.Again()
	case unresponsiveJob:
		j.to.Unresponsive(j.is)
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
	case typeJob:
		u.cfg.Observer.Unresponsive(j.qtype, j.is)
	case zoneJob:
		u.cfg.Observer.UnresponsiveIn(presentation(j.msg), j.is)
	}
}

// probe asks what takes the resolver no time, over UDP and a stream: any reply says that
// it is up. So a down upstream is found to be up again before a client needs it.
func (u *Upstream) probe() {
	u.mu.Lock()
	u.known.Probed = instant.Now()
	u.mu.Unlock()
	u.Ask(&Query{Msg: rootNS, probe: true, bothPaths: true}, prober{})
}

// rootNS asks for what takes a resolver no time, as do other types of the root.
var rootNS = packedQuery(".", dns.TypeNS)
