package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/ports"
)

// LinkError is why a query is not sent, for want of the link; nil: it is. With overLink it is
// one that is asked over the link alone.
func (u *Upstream) LinkError(overLink bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.linkGone():
		return ErrLinkGone
	case u.cutOff(overLink):
		return ErrUnbound
	}
	return nil
}

// Link says how the upstream's link leads to it from now on, as [link.To] does; it may be
// called again and again, and never is for an upstream that has no link.
//
// All sockets are given up then: they are bound to what led there before. While the link
// is gone the upstream is down, and nothing is sent. When it leads there again, or another
// way, the upstream counts as one that was never heard, and all that wait ask anew, at
// once (R20).
func (u *Upstream) Link(index uint32, state link.State) {
	var out outbox
	now := instant.Now()
	u.mu.Lock()
	u.linkLocked(index, state, now, &out)
	u.mu.Unlock()
	u.do(&out)
}

func (u *Upstream) linkLocked(index uint32, state link.State, now instant.Time, out *outbox) {
	if state == u.link && index == u.peer.Link {
		return
	}
	report := state != u.link
	u.link, u.peer.Link = state, index
	u.leaveAllLocked()
	changed, after := u.known.SetDown(u.linkGone(), now)
	turn := uint64(0)
	if changed {
		turn = u.known.Turn
	} else if report {
		u.known.Turn++ // some exchanges may be cut off by it, or no longer
	}
	if report {
		out.add(job{kind: linkJob, link: state, turn: turn})
	} else if changed {
		out.add(job{kind: upJob, turn: turn, took: after})
	}
	waiting := u.waitingForLink
	if !u.linkGone() {
		u.known.ForgetPaths()
		u.forget64Locked(now, out)
		u.conns.notBefore, u.conns.limitedUntil = instant.Never, instant.Never
		u.waitingForLink = ports.Table[Exchange]{}
	}
	for _, x := range waiting.All() {
		cutOff := x.cutOff()
		switch {
		case !cutOff:
			x.restart(now, out)
		case !u.looks.waits(x):
			x.waitForLook(nil, now)
		}
		if cutOff && !u.linkGone() { // the table is a new one
			x.waitForLink()
		}
		out.tellHealth(x)
		if !cutOff {
			out.add(job{kind: againJob, to: x.to})
		}
	}
}

// leaveAllLocked has all that wait for a reply wait for the link, and gives up the sockets.
func (u *Upstream) leaveAllLocked() {
	waits := make(map[*Exchange]bool)
	for x := range u.waitingLocked() {
		waits[x] = true
	}
	for p := range u.tablesLocked() {
		if p == &u.waitingForLink {
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
	for len(u.conns.open) > 0 {
		u.conns.open[0].closeLocked()
	}
	for _, x := range u.waitingForLink.All() {
		delete(waits, x)
	}
	for x := range waits {
		x.udp.socket, x.conn.stream, x.conn.owed = nil, nil, 0
		x.leaveTurn()
		x.waitForLink()
	}
}
