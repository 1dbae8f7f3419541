package upstream

import (
	"errors"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// ErrLinkGone is why an upstream is not asked.
var ErrLinkGone = errors.New("its network link is gone")

// Linked reports whether the upstream is not cut off, as it is while its link is gone.
func (u *Upstream) Linked() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.link != link.Gone
}

// Link says how the upstream's link leads to it from now on, as [link.To] does; it may be
// told again and again. Who has no link is never told.
//
// All sockets are given up then: they are bound to what led there before. While the link
// is gone the upstream is down, and nothing is sent. When it leads there again, or another
// way, the upstream counts as one that was never heard, and all that wait ask anew, at
// once (R20).
func (u *Upstream) Link(index uint32, state link.State) {
	var out outbox
	now := time.Now()
	u.mu.Lock()
	u.linkLocked(index, state, now, &out)
	u.mu.Unlock()
	u.do(&out)
}

func (u *Upstream) linkLocked(index uint32, state link.State, now time.Time, out *outbox) {
	if state == u.link && index == u.peer.Link {
		return
	}
	told := state != u.link
	u.link, u.peer.Link = state, index
	u.strandAllLocked()
	gone := state == link.Gone
	turn, took := uint64(0), now.Sub(u.presence.fell)
	if gone != u.presence.down {
		u.presence.turn++
		turn = u.presence.turn
		u.presence.down, u.presence.fell = gone, now
	}
	if told {
		out.add(job{kind: linkJob, link: state, turn: turn})
	} else if turn > 0 {
		out.add(job{kind: upJob, turn: turn, took: took})
	}
	left := u.stranded
	if !gone {
		u.presence.udp, u.presence.stream = way{}, way{}
		u.redial, u.crowded = time.Time{}, time.Time{}
		u.stranded = ports.Table[Exchange]{}
	}
	for _, x := range left.All() {
		out.add(u.presence.job(x.to))
		if !gone {
			x.restartLocked(now)
			out.add(job{kind: againJob, to: x.to})
		}
	}
}

// strandLocked has the exchange wait for the link.
func (x *Exchange) strandLocked() {
	if !x.u.stranded.Full() {
		x.u.stranded.Add(x, x.u.random)
	}
	x.u.scheduleTidyLocked()
}

// strandAllLocked has all that wait for a reply wait for the link, and gives up the sockets.
func (u *Upstream) strandAllLocked() {
	waits := make(map[*Exchange]bool)
	for x := range u.openLocked() {
		waits[x] = true
	}
	for p := range u.tablesLocked() {
		if p == &u.stranded {
			continue
		}
		for id, x := range p.All() {
			if waits[x] {
				p.Remove(id)
			}
		}
	}
	for _, s := range u.sockets {
		u.retireLocked(s)
	}
	for len(u.streams) > 0 {
		u.streams[0].closeLocked()
	}
	for _, x := range u.stranded.All() {
		delete(waits, x)
	}
	for x := range waits {
		x.socket, x.stream, x.owed = nil, nil, 0
		x.strandLocked()
	}
}

// restartLocked has the exchange begin anew when it is called next.
func (x *Exchange) restartLocked(now time.Time) {
	if x.phase == ended {
		return
	}
	x.phase = overUDP
	if x.u.cfg.ForceTCP {
		x.phase = overStream
	}
	x.due, x.watched = now, now
	x.packets, x.dials, x.hangups, x.unsent = 0, 0, 0, 0
	x.probed, x.again, x.retried, x.streamFailed, x.udpErr = false, false, false, false, nil
	x.shunned, x.spareDue = nil, time.Time{}
}
