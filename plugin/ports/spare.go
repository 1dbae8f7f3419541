package ports

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// maxSpares is how many sockets of each kind are held open for each family of addresses.
const maxSpares = 4

// refillEvery is from one try to open what is missing to the next.
const refillEvery = time.Second

// spares are sockets that are held open for the time when others, such as clients that hold
// connections, have taken all file descriptors. They are sockets already, for a descriptor that
// is closed to make room is another's at once: whoever accepts connections waits for it. Those
// that are used up are opened again when there are descriptors.
type spares struct {
	most int // of each kind and family

	mu      sync.Mutex
	next    time.Time         // no try to open what is missing before
	udp     [2][]*net.UDPConn // for IPv4, for IPv6; on ports of which nothing was sent
	worn    [2][]*sparePort   // those that came back while there were no others
	streams [2][]int          // not connected
}

// newSpares returns few if the process may have few descriptors.
func newSpares(limit int64) *spares {
	return &spares{most: int(min(maxSpares, limit/64))}
}

func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// fill opens what is missing, soon.
func (s *spares) fill() {
	if s.most == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Before(s.next) {
		return
	}
	s.next = now.Add(refillEvery)
	for f := range s.udp {
		if len(s.udp[f]) < s.most || len(s.streams[f]) < s.most || len(s.worn[f]) > 0 {
			go s.fillNow()
			return
		}
	}
}

func (s *spares) fillNow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for f := range s.udp {
		for len(s.udp[f]) < s.most {
			conn, err := udp.Open(f == 1)
			if err != nil {
				break
			}
			_ = conn.SetReadBuffer(1) // the least: nothing is read before it is used
			s.udp[f] = append(s.udp[f], conn)
		}
		for len(s.streams[f]) < s.most {
			fd, err := openStream(f == 1)
			if err != nil {
				break
			}
			s.streams[f] = append(s.streams[f], fd)
		}
		if len(s.udp[f]) == s.most {
			for _, p := range s.worn[f] {
				p.Conn.Close()
			}
			s.worn[f] = nil
		}
	}
}

// takeUDP takes a socket that is not in use; nil: there is none.
func (s *spares) takeUDP(v6 bool) *net.UDPConn {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &s.udp[family(v6)]
	if len(*list) == 0 {
		return nil
	}
	conn := (*list)[0]
	*list = (*list)[1:]
	return conn
}

// sparePort is a port on what was a spare socket. When it is closed it is kept, if no other
// spare one is left.
type sparePort struct {
	udp.Conn
	spares   *spares
	v6       bool
	received atomic.Pointer[udp.Receiver] // nil: it is not in use
	dropped  uint64                       // packets, before it was taken
}

// Drops implements udp.Conn.
func (p *sparePort) Drops() uint64 { return p.Conn.Drops() - p.dropped }

func (p *sparePort) take(packets []udp.Packet) {
	if received := p.received.Load(); received != nil {
		(*received)(packets)
	}
}

// Close implements udp.Conn.
func (p *sparePort) Close() {
	s := p.spares
	s.mu.Lock()
	defer s.mu.Unlock()
	f := family(p.v6)
	if len(s.udp[f]) > 0 || len(s.worn[f]) >= s.most {
		p.Conn.Close()
		return
	}
	p.received.Store(nil)
	s.worn[f] = append(s.worn[f], p)
}

// port makes a spare socket a port that received takes the packets of; nil: there is none.
func (s *spares) port(v6 bool, received udp.Receiver) udp.Conn {
	if fresh := s.takeUDP(v6); fresh != nil {
		p := &sparePort{spares: s, v6: v6}
		p.received.Store(&received)
		conn, err := udp.Use(fresh, v6, p.take)
		if err != nil {
			return nil
		}
		p.Conn = conn
		return p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := family(v6)
	if len(s.worn[f]) == 0 {
		return nil
	}
	p := s.worn[f][0]
	s.worn[f] = s.worn[f][1:]
	p.dropped = p.Conn.Drops()
	p.received.Store(&received)
	return p
}

// datagrams is a spare socket for one connection over UDP; nil: there is none.
func (s *spares) datagrams(to udp.Peer) *net.UDPConn {
	conn := s.takeUDP(to.Addr.Addr().Is6())
	if conn == nil {
		return nil
	}
	if bind := to.Dialer().Control; bind != nil {
		raw, err := conn.SyscallConn()
		if err != nil || bind("udp", to.String(), raw) != nil {
			conn.Close()
			return nil
		}
	}
	return conn
}

// stream is a connection over a spare socket.
func (s *spares) stream(ctx context.Context, to udp.Peer) (net.Conn, error) {
	f := family(to.Addr.Addr().Is6())
	s.mu.Lock()
	if len(s.streams[f]) == 0 {
		s.mu.Unlock()
		return nil, ErrDescriptors
	}
	fd := s.streams[f][0]
	s.streams[f] = s.streams[f][1:]
	s.mu.Unlock()
	return connect(ctx, fd, to)
}
