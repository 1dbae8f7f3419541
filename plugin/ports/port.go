package ports

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// port is an unconnected UDP socket. Each upstream that is asked from it has a [Socket]
// on it.
type port struct {
	conn     udp.Conn
	ports    *Ports
	born     instant.Time
	life     time.Duration
	retiring atomic.Bool // another port is to take its place

	// The sockets on the port, by peer. A peer may have several: those of upstreams with the
	// same address, or one that is given up and its replacement. The map is not changed but
	// replaced, under ports.mu.
	sockets atomic.Pointer[map[udp.Peer][]*Socket]
}

func (p *port) retiringAt(now instant.Time) bool {
	return p.retiring.Load() || now.Sub(p.born) > p.life
}

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

// received takes packets. The source of a packet is checked before anything else: what does
// not come from an upstream's address and port, and over its link, is dropped (R9).
func (p *port) received(packets []udp.Packet) {
	now := instant.Now()
	sockets := *p.sockets.Load()
	for i := range packets {
		packet := &packets[i]
		from := sockets[packet.Peer]
		if packet.Peer.Link != 0 && !link.Scoped(packet.Peer.Addr.Addr()) { // it may be for a socket that is bound to no link
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

// deliver hands a message to the owner of the socket that it is for. If several sockets have
// the same peer, that is the one whose owner waits for the id and asked the question. If none
// waits for the id, it is the one whose owner waited for it before.
func deliver(sockets []*Socket, msg []byte, now instant.Time) {
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
