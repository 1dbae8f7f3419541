package link

import (
	"errors"
	"net"
	"net/netip"
	"os"

	"github.com/jsimonetti/rtnetlink/v2"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

const canBind = true

// bind needs no privilege (Linux 5.7).
func bind(fd uintptr, _ bool, index uint32) error {
	err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, int(index))
	if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 5.1
		var i *net.Interface
		if i, err = net.InterfaceByIndex(int(index)); err == nil {
			err = unix.BindToDevice(int(fd), i.Name)
		}
	}
	return os.NewSyscallError("setsockopt", err)
}

// hasCarrier asks for IFF_LOWER_UP: IFF_RUNNING follows up to a second later.
func hasCarrier(i *net.Interface) bool {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return true
	}
	defer conn.Close()
	l, err := conn.Link.Get(uint32(i.Index))
	return err != nil || l.Flags&unix.IFF_LOWER_UP != 0
}

// leadsTo looks for a route over the interface in the routing tables (RTM_F_FIB_MATCH). A
// plain lookup would not do: where IPv4 has no route, it takes the address for a neighbour
// on the interface. If the tables cannot be read, a route is assumed.
func leadsTo(index uint32, addr netip.Addr) bool {
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return true
	}
	defer conn.Close()
	family := uint8(unix.AF_INET)
	if addr.Is6() {
		family = unix.AF_INET6
	}
	routes, err := conn.Route.Get(&rtnetlink.RouteMessage{
		Family:     family,
		DstLength:  uint8(addr.BitLen()),
		Flags:      unix.RTM_F_FIB_MATCH,
		Attributes: rtnetlink.RouteAttributes{Dst: addr.AsSlice(), OutIface: index},
	})
	switch {
	case errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH):
		return false
	case err != nil || len(routes) == 0:
		return true
	}
	return routes[0].Type == unix.RTN_UNICAST || routes[0].Type == unix.RTN_LOCAL
}

// events opens a netlink connection, which has something to read when interfaces, their
// addresses or routes change.
func events() (wait func() error, end func(), err error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{
		Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE,
	})
	if err != nil {
		return nil, nil, err
	}
	return func() error {
		_, err := conn.Receive()
		if errors.Is(err, unix.ENOBUFS) { // some were lost, which says that there were some
			return nil
		}
		return err
	}, func() { conn.Close() }, nil
}
