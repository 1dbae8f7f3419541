package upstream

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	maxCommon   = 4   // ports in use at a time for each family
	commonQueue = 256 // packets that wait to be read by one upstream
)

// commonPorts are UDP ports that upstreams share for which there are no descriptors.
// The source address of a packet says whose it is (R9). Its zero value has none open.
type commonPorts struct {
	mu    sync.Mutex
	ports []*commonPort
}

// commonPort is an unconnected UDP socket.
type commonPort struct {
	conn  *net.UDPConn
	born  time.Time
	owner *commonPorts
	peers map[netip.AddrPort]*commonConn // guarded by owner.mu
}

// dial returns a connection to an address over one of the ports that does not serve
// that address yet.
func (c *commonPorts) dial(address string) (net.Conn, error) {
	addr, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, err
	}
	peer := plain(addr.AddrPort())
	c.mu.Lock()
	defer c.mu.Unlock()
	inUse := 0
	for _, p := range c.ports {
		if p.v4() != peer.Addr().Is4() || time.Since(p.born) > maxAge {
			continue
		}
		if inUse++; p.peers[peer] == nil {
			return p.joinLocked(peer, addr), nil
		}
	}
	if inUse >= maxCommon {
		return nil, errCommon
	}
	network := "udp6"
	if peer.Addr().Is4() {
		network = "udp4"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	p := &commonPort{conn: conn, born: time.Now(), owner: c, peers: make(map[netip.AddrPort]*commonConn)}
	c.ports = append(c.ports, p)
	go p.read()
	return p.joinLocked(peer, addr), nil
}

// plain is an address as it is told apart here: without a zone, which one side has by
// name and the other by number.
func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

var errCommon = errors.New("no further shared port")

func (p *commonPort) v4() bool { return p.conn.LocalAddr().(*net.UDPAddr).IP.To4() != nil }

func (p *commonPort) joinLocked(peer netip.AddrPort, to *net.UDPAddr) *commonConn {
	c := &commonConn{port: p, peer: peer, to: to, in: make(chan []byte, commonQueue), closed: make(chan struct{})}
	p.peers[peer] = c
	return c
}

// read hands on packets until the port is closed. What is from nobody's upstream, or
// too much for one, is dropped.
func (p *commonPort) read() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // of a packet that was sent
		}
		p.owner.mu.Lock()
		c := p.peers[plain(from)]
		p.owner.mu.Unlock()
		if c == nil {
			continue
		}
		select {
		case c.in <- append([]byte(nil), buf[:n]...):
		default:
		}
	}
}

// commonConn is one upstream's part of a shared port: a connected socket to whoever
// uses it.
type commonConn struct {
	net.Conn // nil: whatever else is called is not for such connections
	port     *commonPort
	peer     netip.AddrPort
	to       *net.UDPAddr
	in       chan []byte
	once     sync.Once
	closed   chan struct{}
}

func (c *commonConn) Write(b []byte) (int, error) { return c.port.conn.WriteToUDP(b, c.to) }

func (c *commonConn) Read(b []byte) (int, error) {
	select {
	case msg := <-c.in:
		return copy(b, msg), nil
	case <-c.closed:
		return 0, net.ErrClosed
	}
}

// Close leaves the port, which is closed when nobody is left.
func (c *commonConn) Close() error {
	c.once.Do(func() {
		close(c.closed)
		owner := c.port.owner
		owner.mu.Lock()
		defer owner.mu.Unlock()
		delete(c.port.peers, c.peer)
		if len(c.port.peers) > 0 {
			return
		}
		for i, p := range owner.ports {
			if p == c.port {
				owner.ports = append(owner.ports[:i:i], owner.ports[i+1:]...)
			}
		}
		c.port.conn.Close()
	})
	return nil
}
