// Package udp has UDP sockets that are not connected. Each is on a port that nobody
// can predict, and speaks with many peers from there; packets to several of them leave
// in one system call, and those that came are read in one, where the system has such
// calls. It knows nothing of DNS.
//
// [Conn] is the seam between packets and sockets: tests put a network in virtual time
// behind it.
package udp

import (
	"net"
	"net/netip"
	"strconv"
)

// Peer is the far end of a packet's way. Peers that are equal are the same.
type Peer struct {
	// Addr has no zone, and is no IPv4 address in the form of an IPv6 one.
	Addr netip.AddrPort
	// Link is the index of the network interface that leads to the peer. It is the zone
	// of link-local addresses (RFC 4007, section 6), and 0 for others: routes decide.
	Link uint32
}

// PeerAt returns the peer at an address, whose zone may be a name or a number. The index
// is that of the interface which has the name now: one that takes another's name must
// not get the packets of the one that is gone. It is 0 if there is none.
func PeerAt(addr netip.AddrPort) Peer {
	ip := addr.Addr().Unmap()
	p := Peer{Addr: netip.AddrPortFrom(ip.WithZone(""), addr.Port())}
	if zone := ip.Zone(); zone != "" && ip.IsLinkLocalUnicast() { // of other packets the system tells no zone
		if i, err := net.InterfaceByName(zone); err == nil {
			p.Link = uint32(i.Index)
		} else if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			p.Link = uint32(n)
		}
	}
	return p
}

// Packet is one that is sent or was received.
type Packet struct {
	Peer Peer // whom it is for, or from
	Msg  []byte
	// Err is why it was not sent. Of what is received it is an error that ICMP reports of
	// a packet to the peer; there is no Msg then.
	Err error
}

// Conn is a socket. Its methods may be called from any goroutine.
type Conn interface {
	// Send sends packets without a wait, and sets Err of each. It keeps none of them.
	Send(packets []Packet)
	// Drops counts the packets that were lost because they were not read in time, so far
	// as the system tells.
	Drops() uint64
	// Close closes the socket, also if a receiver calls it.
	Close()
}

// Receiver takes packets that came, from any goroutine. They are valid until it returns.
type Receiver func([]Packet)

// buffer is how much the system is asked to keep of what was not read yet, in bytes. Less
// holds a few hundred packets: the replies of some milliseconds.
const buffer = 1 << 20

// listen opens a socket for one family of addresses.
func listen(v6 bool) (*net.UDPConn, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	conn, err := net.ListenUDP(network, nil)
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(buffer) // or as much as the system allows
	return conn, nil
}
