package handler

import (
	"net"
	"net/netip"
	"slices"

	"github.com/dnsmus/dnsmus/plugin/resolvconf"
)

// Listeners are the addresses that a server block listens on.
type Listeners struct {
	Hosts []netip.Addr // none: any address of this host
	Ports []Port
}

// Port is where one transport is listened for.
type Port struct {
	Transport resolvconf.Transport
	Number    uint16
}

// Include reports whether a query to s would come back to the server block. A
// wildcard listens on all that local returns, and on the loopback addresses.
func (l Listeners) Include(s resolvconf.Server, local func() []netip.Addr) bool {
	if !slices.Contains(l.Ports, Port{s.Transport, s.Addr.Port()}) {
		return false
	}
	to := s.Addr.Addr().Unmap().WithZone("")
	wildcard := len(l.Hosts) == 0
	for _, host := range l.Hosts {
		if host.Unmap().WithZone("") == to {
			return true
		}
		wildcard = wildcard || host.IsUnspecified() && (host.Is6() || to.Is4())
	}
	return wildcard && (to.IsLoopback() || slices.Contains(local(), to))
}

// Drop takes those upstreams out of the list to which a query would come back.
func (l Listeners) Drop(upstreams []resolvconf.Server) (left, own []resolvconf.Server) {
	for _, s := range upstreams {
		if l.Include(s, localAddrs) {
			own = append(own, s)
		} else {
			left = append(left, s)
		}
	}
	return left, own
}

// localAddrs returns the addresses of this host's interfaces.
func localAddrs() []netip.Addr {
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
