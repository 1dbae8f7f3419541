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

// Owner is the upstream's side of a [Socket]. Its methods are called from any goroutine,
// with no lock of this package held.
type Owner interface {
	// Waits reports whether a reply with that id is waited for now, and whether one was
	// before.
	Waits(id uint16) (now, before bool)
	// Received takes a message of at least a header's size, which is valid until it returns.
	// It reports whether the message answers what was waited for with its id.
	Received(msg []byte, now instant.Time) (answers bool)
	// Failed reports an error that ICMP reports of a packet to the peer, and as much of that
	// packet as was quoted.
	Failed(err error, quoted []byte, now instant.Time)
	// NotSent reports why the packet with that id was not sent.
	NotSent(id uint16, err error)
}

// Socket is an upstream's part of a port.
type Socket struct {
	Peer  udp.Peer // of the upstream, as it was when the socket was opened
	owner Owner
	port  *port
}

// Age is how long the port has been open to guesses.
func (s *Socket) Age(now instant.Time) time.Duration { return now.Sub(s.port.born) }

// Ends is until when the port is in use.
func (s *Socket) Ends() instant.Time { return s.port.born.Add(s.port.life) }

// Retire has another port take the place of the socket's, for all upstreams.
func (s *Socket) Retire() { s.port.retiring.Store(true) }

// Retiring reports whether another port is to take the place of the socket's: it is old, or
// Retire or [Ports.Renew] was called.
func (s *Socket) Retiring(now instant.Time) bool { return s.port.retiringAt(now) }

// Close takes the socket off its port, which is closed with its last one.
func (s *Socket) Close() { s.port.remove(s) }
