package ports

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// port is an unconnected UDP socket. Each upstream that is asked from it has a [Socket]
// on it.
type port struct {
	conn     udp.Conn
	ports    *Ports
	born     time.Time
	life     time.Duration
	retiring atomic.Bool // another is to take its place

	// sockets are listed by peer. There may be more than one with a peer: one that is given
	// up, and another that took its place. Replaced under ports.mu.
	sockets atomic.Pointer[map[udp.Peer][]*Socket]
}

func (p *port) retiringAt(now time.Time) bool { return p.retiring.Load() || now.Sub(p.born) > p.life }

func (p *port) addLocked(s *Socket) {
	s.port = p
	p.changeLocked(s.Peer, func(list []*Socket) []*Socket { return append(slices.Clip(list), s) })
}

// remove takes s off the port, which is closed when no socket is left.
func (p *port) remove(s *Socket) {
	p.ports.mu.Lock()
	defer p.ports.mu.Unlock()
	p.changeLocked(s.Peer, func(list []*Socket) (others []*Socket) {
		for _, o := range list {
			if o != s {
				others = append(others, o)
			}
		}
		return others
	})
	if len(*p.sockets.Load()) > 0 {
		return
	}
	for v6 := range p.ports.inUse {
		for i := range p.ports.inUse[v6] {
			if p.ports.inUse[v6][i] == p {
				p.ports.inUse[v6][i] = nil
			}
		}
	}
	if i := slices.Index(p.ports.open, p); i >= 0 {
		p.ports.open = slices.Delete(p.ports.open, i, i+1)
		p.conn.Close()
	}
}

// changeLocked replaces the sockets with a peer.
func (p *port) changeLocked(peer udp.Peer, change func([]*Socket) []*Socket) {
	old := *p.sockets.Load()
	sockets := make(map[udp.Peer][]*Socket, len(old)+1)
	for q, list := range old {
		sockets[q] = list
	}
	if sockets[peer] = change(sockets[peer]); len(sockets[peer]) == 0 {
		delete(sockets, peer)
	}
	p.sockets.Store(&sockets)
}

// received takes packets. Whom one is from is looked at before anything else: what does
// not come from an upstream's address and port, and over its link, is dropped (R9).
func (p *port) received(packets []udp.Packet) {
	now := time.Now()
	sockets := *p.sockets.Load()
	for i := range packets {
		packet := &packets[i]
		from := sockets[packet.Peer]
		if packet.Peer.Link != 0 && !link.Scoped(packet.Peer.Addr.Addr()) { // it may be for who is bound to no link
			if any := sockets[packet.Peer.AnyLink()]; len(any) > 0 {
				from = append(slices.Clip(from), any...)
			}
		}
		switch {
		case len(from) == 0:
		case packet.Err != nil:
			for _, s := range from {
				s.owner.Failed(packet.Err, packet.Msg, now)
			}
		case len(packet.Msg) >= wire.HeaderSize:
			deliver(from, packet.Msg, now)
		}
	}
}

// deliver hands a message to the socket for which it is. Where several are with one peer, that
// is the one that waits for its id and asked its question; if none waits, the one that did.
func deliver(sockets []*Socket, msg []byte, now time.Time) {
	who, id := sockets[0], wire.Header(msg).ID()
	if len(sockets) > 1 {
		awaited := false
		for _, s := range sockets {
			switch waits, before := s.owner.Waits(id); {
			case waits && s.owner.Received(msg, now):
				return
			case waits:
				awaited = true
			case before:
				who = s
			}
		}
		if awaited {
			return
		}
	}
	who.owner.Received(msg, now)
}
