// Package link knows the network links of this machine: whether one leads to an address,
// how sockets are bound to it, and when any of that has changed. What systems do
// differently is in a file of each.
package link

import (
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// State is how a link leads to an address.
type State uint8

const (
	// Gone: there is no link of that name or number that is up, has a carrier, and has a
	// route to the address, or at least an address of that family: it may be being set up.
	Gone State = iota
	// Unbound: sockets are not bound to the link, and routes decide. Either no route leads
	// to the address over it, as where IPsec takes packets that leave by other links, or
	// this system cannot bind sockets; see [CanBind].
	Unbound
	// Bound: sockets are to be bound to the link.
	Bound
)

// String is the state in a word.
func (s State) String() string { return [...]string{"gone", "not bound", "bound"}[s] }

// CanBind reports whether this system can bind sockets to links.
const CanBind = canBind

// To returns how the link of that name or number leads to addr now, and its index. That is
// 0 unless sockets are to be bound. The index of a link-local address stands for its zone
// (RFC 4007, section 6), without which nothing can be sent there.
func To(name string, addr netip.Addr) (index uint32, s State) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		number, notNumber := strconv.Atoi(name)
		if notNumber != nil {
			return 0, Gone
		}
		if i, err = net.InterfaceByIndex(number); err != nil {
			return 0, Gone
		}
	}
	switch {
	case i.Flags&net.FlagUp == 0 || !hasCarrier(i):
		return 0, Gone
	case Scoped(addr):
		return uint32(i.Index), Bound
	case canBind && leadsTo(uint32(i.Index), addr):
		return uint32(i.Index), Bound
	case !hasAddress(i, addr):
		return 0, Gone
	}
	return 0, Unbound
}

// hasAddress reports whether the link has an address from which packets can be sent to
// addr.
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

// Scoped reports whether addr means something on one link only.
func Scoped(addr netip.Addr) bool { return addr.Is6() && addr.IsLinkLocalUnicast() }

// Dialer returns a dialer whose connections are bound to the link of that index; 0 leaves
// them to the routes.
func Dialer(index uint32) *net.Dialer {
	d := new(net.Dialer)
	if index != 0 {
		d.Control = Control(index)
	}
	return d
}

// Control returns what binds a socket to the link of that index, as [net.Dialer] and
// [net.ListenConfig] take it. It fails where sockets cannot be bound.
func Control(index uint32) func(network, address string, conn syscall.RawConn) error {
	return func(network, _ string, conn syscall.RawConn) (err error) {
		v6 := network != "" && network[len(network)-1] == '6'
		if failed := conn.Control(func(fd uintptr) { err = bind(fd, v6, index) }); failed != nil {
			return failed
		}
		return err
	}
}
