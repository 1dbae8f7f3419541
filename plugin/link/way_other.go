//go:build !linux

package link

import (
	"net"
	"net/netip"
	"strconv"
)

// wayTo finds the source address. Nothing is sent.
func wayTo(addr netip.Addr, over uint32) (w Way, foundOut bool) {
	if Scoped(addr) && over != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(over), 10))
		over = 0
	}
	conn, err := Dialer(over).Dial("udp", netip.AddrPortFrom(addr, 53).String())
	if err != nil {
		return Way{}, !exhausted(err)
	}
	defer conn.Close()
	return Way{Link: over, Source: conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()}, true
}
