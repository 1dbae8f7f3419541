package udp

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// plain is a socket with a system call for each packet, and another such socket for each
// link that packets have to leave by. No errors of ICMP are reported to it.
type plain struct {
	v6       bool
	received Receiver

	mu     sync.Mutex
	conns  map[uint32]*net.UDPConn // by link; 0: bound to none
	closed bool
}

// plainOn has received take what comes on a socket that is bound to no link.
func plainOn(udp *net.UDPConn, v6 bool, received Receiver) Conn {
	c := &plain{v6: v6, received: received, conns: map[uint32]*net.UDPConn{0: udp}}
	go c.read(udp, 0)
	return c
}

// conn returns the socket that is bound to a link, which is opened if need be.
func (c *plain) conn(link uint32) (*net.UDPConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, net.ErrClosed
	}
	if udp := c.conns[link]; udp != nil {
		return udp, nil
	}
	udp, err := listen(context.Background(), c.v6, link)
	if err != nil {
		return nil, err
	}
	c.conns[link] = udp
	go c.read(udp, link)
	return udp, nil
}

func (c *plain) read(udp *net.UDPConn, link uint32) {
	buf := make([]byte, 1<<16)
	var packets [1]Packet
	for {
		n, from, err := udp.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			packets[0] = Packet{Peer: peerFrom(from, link), Msg: buf[:n]}
			c.received(packets[:])
		case errors.Is(err, net.ErrClosed):
			return
		default: // of a packet that was sent, there is no telling which
			time.Sleep(time.Millisecond)
		}
	}
}

// peerFrom is whom a packet is from that came to a socket which is bound to a link. The
// zone of the address may be a name or a number.
func peerFrom(from netip.AddrPort, link uint32) Peer {
	ip := from.Addr().Unmap()
	p := Peer{Addr: netip.AddrPortFrom(ip.WithZone(""), from.Port()), Link: link}
	if zone := ip.Zone(); zone != "" && ip.IsLinkLocalUnicast() { // for other packets the system gives no zone
		if i, err := net.InterfaceByName(zone); err == nil {
			p.Link = uint32(i.Index)
		} else if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			p.Link = uint32(n)
		}
	}
	return p
}

// Send implements Conn.
func (c *plain) Send(packets []Packet) {
	for i := range packets {
		p := &packets[i]
		link := uint32(0)
		if p.Peer.bound() {
			link = p.Peer.Link
		}
		udp, err := c.conn(link)
		if err == nil {
			_, err = udp.WriteToUDPAddrPort(p.Msg, p.Peer.zoned())
		}
		p.Err = err
	}
}

// Drops implements Conn.
func (c *plain) Drops() uint64 { return 0 }

// Close implements Conn.
func (c *plain) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for _, udp := range c.conns {
		udp.Close()
	}
}
