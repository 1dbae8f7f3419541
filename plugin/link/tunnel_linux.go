package link

import (
	"net"
	"net/netip"
	"slices"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

// routed looks up the route to addr: several interfaces may have one address, as with PPP.
func routed(addr netip.Addr) *net.Interface {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return sourceTo(addr)
	}
	defer conn.Close()
	family := uint8(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	routes, err := conn.Route.Get(&rtnetlink.RouteMessage{
		Family:     family,
		DstLength:  uint8(addr.BitLen()),
		Attributes: rtnetlink.RouteAttributes{Dst: addr.AsSlice()},
	})
	if err != nil || len(routes) == 0 {
		return nil
	}
	i, err := net.InterfaceByIndex(int(routes[0].Attributes.OutIface))
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
