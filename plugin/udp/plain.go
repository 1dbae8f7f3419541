package udp

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// plain is a socket with a system call for each packet. It is told of no errors of ICMP.
type plain struct{ udp *net.UDPConn }

// listenPlain opens a socket for one family of addresses, and has received take what
// comes.
func listenPlain(v6 bool, received Receiver) (Conn, error) {
	udp, err := listen(v6)
	if err != nil {
		return nil, err
	}
	c := plain{udp}
	go c.read(received)
	return c, nil
}

func (c plain) read(received Receiver) {
	buf := make([]byte, 1<<16)
	var packets [1]Packet
	for {
		n, from, err := c.udp.ReadFromUDPAddrPort(buf)
		switch {
		case err == nil:
			packets[0] = Packet{Peer: PeerAt(from), Msg: buf[:n]}
			received(packets[:])
		case errors.Is(err, net.ErrClosed):
			return
		default: // of a packet that was sent, nobody knows which
			time.Sleep(time.Millisecond)
		}
	}
}

// Send implements Conn.
func (c plain) Send(packets []Packet) {
	for i := range packets {
		p := &packets[i]
		to := p.Peer.Addr
		if p.Peer.Link != 0 {
			to = netip.AddrPortFrom(to.Addr().WithZone(strconv.FormatUint(uint64(p.Peer.Link), 10)), to.Port())
		}
		_, p.Err = c.udp.WriteToUDPAddrPort(p.Msg, to)
	}
}

// Drops implements Conn.
func (c plain) Drops() uint64 { return 0 }

// Close implements Conn.
func (c plain) Close() { c.udp.Close() }
