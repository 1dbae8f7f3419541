// Package link knows the network interfaces of this machine, which are called links here:
// whether one leads to an address, how sockets are bound to it, and when any of that has
// changed. What differs from system to system is in a file for each.
package link

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// State is how a link leads to an address.
type State uint8

const (
	// Gone: no interface of that name or number is up, with a carrier, and with a route to
	// the address or at least an own address of that family. It may come up soon.
	Gone State = iota
	// Unbound: sockets are not bound to the interface, and the routing table decides.
	// Either it has no route to the address over the interface, as with IPsec, which takes
	// packets that leave by another one, or this system cannot bind sockets; see [CanBind].
	Unbound
	// Bound: sockets are to be bound to the interface.
	Bound
)

// String is the state in a word, which explain's JSON has.
func (s State) String() string {
	return [...]string{Gone: "down", Unbound: "routed", Bound: "bound"}[s]
}

// CanBind reports whether this system can bind sockets to interfaces.
const CanBind = canBind

// To returns how the interface of that name or number leads to addr now, and its index,
// which is 0 unless sockets are to be bound. For a link-local address the index is the zone
// (RFC 4007, section 6), without which nothing can be sent there.
func To(name string, addr netip.Addr) (index uint32, s State) {
	index, s, _ = Look(name, addr)
	return index, s
}

// Look is like To. It reports foundOut false if the system could not be asked, for lack of a
// file descriptor.
func Look(name string, addr netip.Addr) (index uint32, s State, foundOut bool) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		number, notNumber := strconv.Atoi(name)
		if notNumber == nil && !exhausted(err) {
			i, err = net.InterfaceByIndex(number)
		}
		if err != nil {
			return 0, Gone, !exhausted(err)
		}
	}
	switch {
	case i.Flags&net.FlagUp == 0 || !hasCarrier(i):
		return 0, Gone, true
	case Scoped(addr):
		return uint32(i.Index), Bound, true
	case canBind && leadsTo(uint32(i.Index), addr):
		return uint32(i.Index), Bound, true
	case !hasAddress(i, addr):
		return 0, Gone, true
	}
	return 0, Unbound, true
}

// exhausted reports whether there is no file descriptor to ask the system with.
func exhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// hasAddress reports whether the interface has an address from which packets can be sent
// to addr. Where its addresses cannot be read it is taken to have one.
func hasAddress(i *net.Interface, addr netip.Addr) bool {
	own, err := i.Addrs()
	if err != nil {
		return true
	}
	for _, o := range own {
		p, err := netip.ParsePrefix(o.String())
		if err == nil && p.Addr().Unmap().Is4() == addr.Is4() && !Scoped(p.Addr()) {
			return true
		}
	}
	return false
}

// Scoped reports whether addr is valid on one link only, as link-local addresses of IPv6
// are.
func Scoped(addr netip.Addr) bool { return addr.Is6() && addr.IsLinkLocalUnicast() }

// Dialer returns a dialer whose connections are bound to the interface of that index; with
// 0 the routing table decides.
func Dialer(index uint32) *net.Dialer {
	d := new(net.Dialer)
	if index != 0 {
		d.Control = Control(index)
	}
	return d
}

// Control returns a function that binds a socket to the interface of that index, as
// [net.Dialer] and [net.ListenConfig] take it. It fails where sockets cannot be bound.
func Control(index uint32) func(network, address string, conn syscall.RawConn) error {
	return func(network, _ string, conn syscall.RawConn) (err error) {
		v6 := network != "" && network[len(network)-1] == '6'
		if failed := conn.Control(func(fd uintptr) { err = bind(fd, v6, index) }); failed != nil {
			return failed
		}
		return err
	}
}
