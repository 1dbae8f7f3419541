package udp

import (
	"net"
	"net/netip"
	"testing"
)

// What is not read in time is counted.
func TestDrops(t *testing.T) {
	hold := make(chan struct{})
	c, err := Listen(false, func([]Packet) { <-hold })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer close(hold)
	to := c.(*conn).udp.LocalAddr().(*net.UDPAddr).AddrPort()
	to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.Port())
	flood, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer flood.Close()
	if n := c.Drops(); n != 0 {
		t.Fatalf("%d packets are lost before there were any", n)
	}
	packet := make([]byte, 8000)
	for range 4 * buffer / len(packet) {
		if _, err := flood.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Drops(); n == 0 {
		t.Error("no packet is lost, though nobody reads")
	}
}
