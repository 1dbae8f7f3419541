// Package udp has UDP sockets that are not connected. Each is on an unpredictable port, and
// many peers are reached from there; packets to several of them leave in one system call,
// and those that came are read in one, where the system has such calls. It knows nothing of
// DNS.
//
// [Conn] is the seam between packets and sockets: tests put a network in virtual time
// behind it.
package udp

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// Peer is where a packet goes, or comes from. Peers that are equal are the same.
type Peer struct {
	// Addr has no zone, and is no IPv4 address in the form of an IPv6 one.
	Addr netip.AddrPort
	// Link is the index of the network link that packets to the peer leave by, and from
	// the peer come by. It is the zone of link-local addresses (RFC 4007, section 6). For
	// others it may be 0: routes decide then, and what comes may come by any link.
	Link uint32
}

// zoned is the address and port, as package net takes it. The zone is a number, because
// package net remembers names for a minute: a link that takes another's name must not get
// the packets of the one that is gone.
func (p Peer) zoned() netip.AddrPort {
	if link.Scoped(p.Addr.Addr()) && p.Link != 0 {
		return netip.AddrPortFrom(p.Addr.Addr().WithZone(strconv.FormatUint(uint64(p.Link), 10)), p.Addr.Port())
	}
	return p.Addr
}

// String is the address and port, as package net dials it.
func (p Peer) String() string { return p.zoned().String() }

// bound reports whether a socket has to be told of the link that packets leave by: for a
// link-local address that is in the address.
func (p Peer) bound() bool { return p.Link != 0 && !link.Scoped(p.Addr.Addr()) }

// Dialer returns a dialer whose sockets are bound to the peer's link.
func (p Peer) Dialer() *net.Dialer {
	if !p.bound() {
		return new(net.Dialer)
	}
	return link.Dialer(p.Link)
}

// ListenUDP opens a socket that is bound to the peer's link.
func (p Peer) ListenUDP(ctx context.Context) (*net.UDPConn, error) {
	if p.bound() {
		return listen(ctx, p.Addr.Addr().Is6(), p.Link)
	}
	return listen(ctx, p.Addr.Addr().Is6(), 0)
}

// UDPAddr is the address and port, with the zone as a number.
func (p Peer) UDPAddr() *net.UDPAddr { return net.UDPAddrFromAddrPort(p.zoned()) }

// AnyLink is the peer whose packets may come by any link.
func (p Peer) AnyLink() Peer { return Peer{Addr: p.Addr} }

// Packet is one that is sent or was received.
type Packet struct {
	Peer Peer // whom it is for, or from
	Msg  []byte
	// Err is why it was not sent. Of what is received it is an error that ICMP reports of a
	// packet to the peer; Msg is as much of that packet as was quoted, which may be nothing.
	// Anyone can send ICMP: only what is quoted shows that it is about a packet of ours.
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

// Receiver takes packets that came, from any goroutine. They are valid until it returns. It should
// not wait: the goroutine that calls it reads other sockets, too.
type Receiver func([]Packet)

// Open opens a socket for IPv6 or for IPv4, from which nothing is read before it is in use; see
// [Use].
func Open(v6 bool) (*net.UDPConn, error) { return listen(context.Background(), v6, 0) }

// buffer is how much the system is asked to keep of what was not read yet, in bytes. Less
// holds a few hundred packets: the replies of some milliseconds.
const buffer = 1 << 20

// listen opens a socket for one family of addresses, on a random port. It is bound to a link
// unless that is 0.
func listen(ctx context.Context, v6 bool, index uint32) (*net.UDPConn, error) {
	network := "udp4"
	if v6 {
		network = "udp6"
	}
	var config net.ListenConfig
	if index != 0 {
		config.Control = link.Control(index)
	}
	conn, err := onDrawnPort(func(port int) (net.PacketConn, error) {
		return config.ListenPacket(ctx, network, ":"+strconv.Itoa(port))
	})
	if err != nil {
		return nil, err
	}
	udp := conn.(*net.UDPConn)
	_ = udp.SetReadBuffer(buffer) // or as much as the system allows
	return udp, nil
}
