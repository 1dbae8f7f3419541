package link

import (
	"net/netip"

	"github.com/jsimonetti/rtnetlink/v2"
	"golang.org/x/sys/unix"
)

func wayTo(addr netip.Addr, over uint32) (w Way, foundOut bool) {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return Way{}, !exhausted(err)
	}
	defer conn.Close()
	route, ok := lookUp(conn, addr, over)
	if !ok {
		return Way{}, true
	}
	w = Way{Link: route.OutIface}
	w.Source, _ = netip.AddrFromSlice(route.Src)
	w.Gateway, _ = netip.AddrFromSlice(route.Gateway)
	return w, true
}

// lookUp asks for the route to addr, over the interface of that index; 0: any.
func lookUp(conn *rtnetlink.Conn, addr netip.Addr, over uint32) (route rtnetlink.RouteAttributes, ok bool) {
	family := uint8(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	routes, err := conn.Route.Get(&rtnetlink.RouteMessage{
		Family:     family,
		DstLength:  uint8(addr.BitLen()),
		Attributes: rtnetlink.RouteAttributes{Dst: addr.AsSlice(), OutIface: over},
	})
	if err != nil || len(routes) == 0 {
		return route, false
	}
	return routes[0].Attributes, true
}
