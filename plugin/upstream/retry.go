package upstream

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// maxPause is how late Retry can be called before this process must have been stopped, as
// that of a paused virtual machine is. Then it was this side that did not listen, and a
// silence begins anew.
const maxPause = time.Second

// retry does what is due at now.
func (x *Exchange) retry(now instant.Time, out *outbox) {
	if isDue(x.spareAt(), now) {
		x.step(waitedEnough, errNotConnected, now, out)
	}
	if x.phase == ended {
		return
	}
	if !x.wake.IsZero() && now.Sub(x.wake) > maxPause {
		x.wait.silenceFrom, x.wait.probed = now, false
	}
	if isDue(x.wait.downAt, now) && !x.hopes(now) {
		x.wait.downAt = instant.Never
		out.tellHealth(x)
	}
	x.noteSilence(now, out)
	if isDue(x.againAt(), now) {
		x.again(now, out)
	}
	if isDue(x.retryStreamAt(), now) {
		x.step(x.anotherStream(now), x.udp.err, now, out)
	}
	if isDue(x.retryUDPAt(), now) {
		x.retryUDP(now, out)
	}
}

// noteSilence probes the upstream, or finds that it is down or unresponsive for the type, if
// that is due.
func (x *Exchange) noteSilence(now instant.Time, out *outbox) {
	if x.cutOff() { // it was not asked
		return
	}
	if x.probeIsDue(now) {
		out.add(job{kind: probeJob})
	}
	x.u.silentLocked(x, now, out)
	x.noteTypeSilence(now, out)
}

// retryUDP sends another packet, or goes over to a stream when that has to have its time.
func (x *Exchange) retryUDP(now instant.Time, out *outbox) {
	p := &x.udp
	p.retried = false // its socket was all right until now
	if p.packets == 1 && p.unsent == 0 {
		x.u.known.RTT.Expired()
	}
	if p.packets >= maxPackets || !now.Before(x.streamBy()) {
		x.step(unanswered, nil, now, out)
		if !x.wait.askedAgain && p.packets > 0 && p.sent.Before(x.u.known.Resumed) {
			x.again(now, out)
		}
		if p.packets >= maxPackets {
			return
		}
	}
	if p.packets > 0 { // else it waits for its turn
		out.add(job{kind: retransmittedJob})
	}
	x.step(sendAgain, nil, now, out)
}

// wakeAt is when Retry should be called next; zero means never.
func (x *Exchange) wakeAt() instant.Time {
	x.wake = instant.Never
	if x.phase != ended {
		x.wake = earliest(x.retryUDPAt(), x.retryStreamAt(), x.silenceAt(), x.typeSilenceAt(), x.againAt(), x.wait.downAt, x.spareAt())
	}
	return x.wake
}
