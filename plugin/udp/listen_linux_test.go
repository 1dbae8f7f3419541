package udp

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// loopbackOf is where what is sent to 127.0.0.1 gets to a socket.
func loopbackOf(t *testing.T, c Conn) Peer {
	t.Helper()
	local, err := unix.Getsockname(int(c.(*conn).fd))
	if err != nil {
		t.Fatal(err)
	}
	return Peer{Addr: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(local.(*unix.SockaddrInet4).Port))}
}

// What is not read in time is counted.
func TestDrops(t *testing.T) {
	hold := make(chan struct{})
	c, err := Listen(false, func([]Packet) { <-hold })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer close(hold)
	flood, err := net.DialUDP("udp4", nil, loopbackOf(t, c).UDPAddr())
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
