package link

import (
	"net"
	"net/netip"
	"slices"

	"github.com/jsimonetti/rtnetlink/v2"
)

// routed looks up the route to addr: several interfaces may have one address, as with PPP.
func routed(addr netip.Addr) *net.Interface {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return sourceTo(addr)
	}
	defer conn.Close()
	route, ok := lookUp(conn, addr, 0)
	if !ok {
		return nil
	}
	i, err := net.InterfaceByIndex(int(route.OutIface))
	if err != nil {
		return nil
	}
	return i
}

// carriesEthernet asks for the kind of the interface. TAP is of the kind "tun", too.
func carriesEthernet(i *net.Interface) bool {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return false
	}
	defer conn.Close()
	l, err := conn.Link.Get(uint32(i.Index))
	return err == nil && l.Attributes != nil && l.Attributes.Info != nil &&
		slices.Contains([]string{"tun", "gretap", "ip6gretap"}, l.Attributes.Info.Kind)
}
