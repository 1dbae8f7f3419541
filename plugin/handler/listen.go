package handler

import (
	"net"
	"net/netip"
	"slices"
)

// Listeners are the addresses that a server block listens on.
type Listeners struct {
	Hosts []netip.Addr // none: any address of this host
	Ports []uint16
}

// Include reports whether a query to addr would come back to the server block. A
// wildcard listens on all that local returns, and on the loopback addresses.
func (l Listeners) Include(addr netip.AddrPort, local func() []netip.Addr) bool {
	if !slices.Contains(l.Ports, addr.Port()) {
		return false
	}
	to := addr.Addr().Unmap().WithZone("")
	wildcard := len(l.Hosts) == 0
	for _, host := range l.Hosts {
		if host.Unmap().WithZone("") == to {
			return true
		}
		wildcard = wildcard || host.IsUnspecified() && (host.Is6() || to.Is4())
	}
	return wildcard && (to.IsLoopback() || slices.Contains(local(), to))
}

// LocalAddrs returns the addresses of this host's interfaces.
func LocalAddrs() []netip.Addr {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil // the worst that follows is a loop, and that ends by itself
	}
	var all []netip.Addr
	for _, n := range nets {
		if prefix, err := netip.ParsePrefix(n.String()); err == nil {
			all = append(all, prefix.Addr().Unmap())
		}
	}
	return all
}
