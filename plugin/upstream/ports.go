package upstream

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/udp"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

const (
	maxSockets = 4                // ports in use at a time for each family of addresses; more are harder to hit (RFC 5452, section 9.2)
	maxAge     = 10 * time.Second // a port's, before another takes its place
	maxAgeDown = 2 * time.Second  // the same while an upstream is down: some box on the way may have lost it, and know the port
)

// Errors and silence have ports replaced, so often at once and then so often over time:
// an upstream that always fails must not cost the others theirs.
const (
	renewBurst = 4
	renewEvery = time.Second
)

// Ports are the UDP ports that the upstreams of a pool share: a few, that nobody can
// predict, and that others replace soon. Its methods may be called from any goroutine.
type Ports struct {
	listen func(v6 bool, received udp.Receiver) (udp.Conn, error)
	spare  *Ports // serve where there are no descriptors for others; nil: none
	renews *rate.Limiter

	mu    sync.Mutex
	inUse [2][maxSockets]*port // of IPv4, of IPv6
	open  []*port              // these, and those that only owe replies
}

// NewPorts returns ports, of which none is open before it is needed.
func NewPorts() *Ports { return newPorts(descriptors.listen, &descriptors.common) }

func newPorts(listen func(bool, udp.Receiver) (udp.Conn, error), spare *Ports) *Ports {
	return &Ports{listen: listen, spare: spare, renews: rate.NewLimiter(rate.Every(renewEvery), renewBurst)}
}

// port is an unconnected UDP socket. Each upstream that is asked from it has a [socket]
// on it, with ids of its own.
type port struct {
	conn  udp.Conn
	owner *Ports
	born  time.Time
	worn  atomic.Bool // another is to take its place

	// sockets are by whom they speak with. There may be more than one with a peer: for
	// one that is let go, and for another that took its place. Replaced under owner.mu.
	sockets atomic.Pointer[map[udp.Peer][]*socket]
}

// join puts s on the port in use at i, which is opened if need be; an old one serves where
// that cannot be, as for lack of file descriptors.
func (ps *Ports) join(s *socket, i int, now time.Time) error {
	v6 := 0
	if s.peer.Addr.Addr().Is6() {
		v6 = 1
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	inUse := &ps.inUse[v6]
	p := inUse[i]
	if p == nil || p.wornAt(now) {
		fresh, err := ps.openLocked(v6 == 1, now)
		switch {
		case err == nil:
			p, inUse[i] = fresh, fresh
		case ps.anyLocked(inUse) != nil:
			p = ps.anyLocked(inUse)
		case ps.spare != nil:
			return ps.spare.join(s, i, now)
		default:
			return err
		}
	}
	p.addLocked(s)
	return nil
}

// anyLocked is the youngest port in use, or nil.
func (ps *Ports) anyLocked(inUse *[maxSockets]*port) (youngest *port) {
	for _, p := range inUse {
		if p != nil && (youngest == nil || p.born.After(youngest.born)) {
			youngest = p
		}
	}
	return youngest
}

func (ps *Ports) openLocked(v6 bool, now time.Time) (*port, error) {
	p := &port{owner: ps, born: now}
	p.sockets.Store(new(map[udp.Peer][]*socket))
	conn, err := ps.listen(v6, p.received)
	if err != nil {
		return nil, err
	}
	p.conn = conn
	ps.open = append(ps.open, p)
	return p, nil
}

// renew has other ports take the place of all that are open. It reports whether it does:
// not too often.
func (ps *Ports) renew(now time.Time) bool {
	if !ps.renews.AllowN(now, 1) {
		return false
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.open {
		p.worn.Store(true)
	}
	return true
}

func (p *port) wornAt(now time.Time) bool { return p.worn.Load() || now.Sub(p.born) > maxAge }

func (p *port) addLocked(s *socket) {
	s.port = p
	p.changeLocked(s.peer, func(list []*socket) []*socket { return append(slices.Clip(list), s) })
}

// leave takes s off its port, which is closed when nobody is left.
func (p *port) leave(s *socket) {
	p.owner.mu.Lock()
	defer p.owner.mu.Unlock()
	p.changeLocked(s.peer, func(list []*socket) (others []*socket) {
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
	for v6 := range p.owner.inUse {
		for i := range p.owner.inUse[v6] {
			if p.owner.inUse[v6][i] == p {
				p.owner.inUse[v6][i] = nil
			}
		}
	}
	if i := slices.Index(p.owner.open, p); i >= 0 {
		p.owner.open = slices.Delete(p.owner.open, i, i+1)
		p.conn.Close()
	}
}

// changeLocked replaces the sockets with a peer.
func (p *port) changeLocked(peer udp.Peer, change func([]*socket) []*socket) {
	old := *p.sockets.Load()
	sockets := make(map[udp.Peer][]*socket, len(old)+1)
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
				s.failed(packet.Err, now)
			}
		case len(packet.Msg) < wire.HeaderSize:
		case len(from) == 1:
			from[0].received(packet.Msg, now)
		default:
			s := from[0]
			for _, o := range from {
				if o.had(wire.Header(packet.Msg).ID()) {
					s = o
				}
			}
			s.received(packet.Msg, now)
		}
	}
}
