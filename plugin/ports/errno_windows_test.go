package ports

import (
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// R10: a closed port, as Windows tells it, does not spoil sockets.
func TestR10Refusal(t *testing.T) {
	closed, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	conn, err := net.Dial("udp4", closed.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write([]byte("query")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 100)); err == nil || BreaksSocket(err) {
		t.Errorf("a closed port is told as %v", err)
	}
	if lost := os.NewSyscallError("wsasend", windows.WSAEHOSTUNREACH); !BreaksSocket(lost) || IsTransient(lost) {
		t.Errorf("%v: breaks the socket %v, transient %v", lost, BreaksSocket(lost), IsTransient(lost))
	}
}
