package link

import (
	"net"
	"net/netip"
)

// IsTunnel reports whether packets to addr leave over a tunnel now, as a VPN has one: an
// interface that is point-to-point or has no broadcast, or one that carries Ethernet through
// a tunnel, where the system tells. It is the interface of that name or number; if that is
// empty, or routes decide all the same, the one that they lead over.
func IsTunnel(name string, addr netip.Addr) bool {
	i := interfaceTo(name, addr)
	switch {
	case i == nil || i.Flags&net.FlagLoopback != 0:
		return false
	case i.Flags&net.FlagPointToPoint != 0 || i.Flags&net.FlagBroadcast == 0:
		return true
	}
	return carriesEthernet(i)
}

// interfaceTo is the interface over which packets to addr leave; nil: none, or that is not
// known.
func interfaceTo(name string, addr netip.Addr) *net.Interface {
	if name != "" {
		switch index, state := To(name, addr); state {
		case Gone:
			return nil
		case Bound:
			i, err := net.InterfaceByIndex(int(index))
			if err != nil {
				return nil
			}
			return i
		}
	}
	if !addr.IsValid() {
		return nil
	}
	return routed(addr)
}

// sourceTo is the interface that has the address from which packets to addr leave. Nothing is
// sent.
func sourceTo(addr netip.Addr) *net.Interface {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, 53)))
	if err != nil {
		return nil
	}
	defer conn.Close()
	source := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().WithZone("")
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range all {
		own, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, o := range own {
			if p, err := netip.ParsePrefix(o.String()); err == nil && p.Addr().Unmap() == source {
				return &i
			}
		}
	}
	return nil
}
