package upstream

import (
	"net"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// signal is a Receiver that passes on when it is told.
type signal chan struct{}

func (s signal) Reply([]byte, instant.Time, bool) { s <- struct{}{} }
func (s signal) Fail(error)                       { s <- struct{}{} }
func (s signal) Health(bool, uint64)              {}
func (s signal) Again()                           {}
func (s signal) Doubtful()                        {}
func (s signal) Unresponsive(bool)                {}
func (s signal) Waiting() bool                    { return true }

// BenchmarkExchange is a query's way to a resolver on loopback and back, over a
// real socket. The resolver's work is in the time, but not in the allocations.
func BenchmarkExchange(b *testing.B) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			buf[2] |= 0x80 // a response
			conn.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	u := New(Config{Addr: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Timeout: 4 * time.Second, Patience: 2 * time.Second})
	b.Cleanup(u.Close)
	q := query("host.example.")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		told := make(signal, 1)
		for pb.Next() {
			u.Ask(q, told)
			<-told
		}
	})
}
