package handler

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// Listeners are the addresses that a server block listens on.
type Listeners struct {
	Hosts []netip.Addr // none: any address of this host
	Ports []Port
}

// Port is a port that listens for one transport.
type Port struct {
	Transport server.Transport
	Number    uint16
}

// Include reports whether a query to s would come back to the server block. A
// wildcard listens on all that local returns, and on the loopback addresses.
func (l Listeners) Include(s server.Server, local func() []netip.Addr) bool {
	if !slices.Contains(l.Ports, Port{s.Transport, s.Addr.Port()}) {
		return false
	}
	to := s.Zoned().Addr()
	wildcard := len(l.Hosts) == 0
	for _, host := range l.Hosts {
		if same(host, to) {
			return true
		}
		wildcard = wildcard || host.IsUnspecified() && (host.Is6() || to.Is4())
	}
	return wildcard && (to.IsLoopback() || slices.ContainsFunc(local(), func(a netip.Addr) bool { return same(a, to) }))
}

// same reports whether a and b are the same address; one without a zone is that of any
// interface.
func same(a, b netip.Addr) bool {
	a, b = a.Unmap(), b.Unmap()
	if a.WithZone("") != b.WithZone("") {
		return false
	}
	return a.Zone() == "" || b.Zone() == "" || interfaceOf(a) == interfaceOf(b)
}

// interfaceOf is the name of the interface that addr's zone stands for.
func interfaceOf(addr netip.Addr) string {
	if index, err := strconv.Atoi(addr.Zone()); err == nil {
		if i, err := net.InterfaceByIndex(index); err == nil {
			return i.Name
		}
	}
	return addr.Zone()
}

// Drop splits upstreams into those that may be asked and those through which a query
// would come back.
func (l Listeners) Drop(upstreams []server.Server) (others, loops []server.Server) {
	for _, s := range upstreams {
		if l.Include(s, localAddrs) {
			loops = append(loops, s)
		} else {
			others = append(others, s)
		}
	}
	return others, loops
}

// localAddrs returns the addresses of this host's interfaces, those of one link
// with its name as zone.
func localAddrs() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil // at worst a loop follows, which R11 ends
	}
	var all []netip.Addr
	for _, i := range interfaces {
		nets, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, n := range nets {
			if prefix, err := netip.ParsePrefix(n.String()); err == nil {
				addr := prefix.Addr().Unmap()
				if addr.Is6() && addr.IsLinkLocalUnicast() {
					addr = addr.WithZone(i.Name)
				}
				all = append(all, addr)
			}
		}
	}
	return all
}
