package testkit

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// Listen opens one port of 127.0.0.1 for both transports.
func Listen(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		if udp, tcp, err := listenBoth(nextAddr()); err == nil {
			return udp, tcp
		}
	}
	t.Fatal("no port is free for UDP and TCP")
	return nil, nil
}

// FreeAddr returns an address of 127.0.0.1 where nobody listens at present.
func FreeAddr(t testing.TB) netip.AddrPort {
	t.Helper()
	udp, tcp := Listen(t)
	defer udp.Close()
	defer tcp.Close()
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}

// Resolver listens until the end of the test. It calls got for each message, with
// what it came over, "udp" or "tcp", and with a way to send messages back.
func Resolver(t testing.TB, got func(network string, msg []byte, send func([]byte))) netip.AddrPort {
	t.Helper()
	udp, tcp := Listen(t)
	var (
		all   sync.WaitGroup
		mu    sync.Mutex
		conns []net.Conn
	)
	all.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			got("udp", append([]byte(nil), buf[:n]...), func(msg []byte) { udp.WriteTo(msg, from) })
		}
	})
	all.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			all.Go(func() {
				for {
					msg, err := ReadFrame(conn)
					if err != nil {
						return
					}
					got("tcp", msg, func(msg []byte) { conn.Write(Frame(msg)) })
				}
			})
		}
	})
	t.Cleanup(func() {
		udp.Close()
		tcp.Close()
		mu.Lock()
		for _, conn := range conns {
			conn.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}

// Handle runs a resolver on Listen's sockets until the end of the test.
func Handle(t testing.TB, h dns.HandlerFunc) netip.AddrPort {
	t.Helper()
	udp, tcp := Listen(t)
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: h}, {Listener: tcp, Handler: h}} {
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
	return netip.MustParseAddrPort(udp.LocalAddr().String())
}

// Frame is the message as sent over TCP, with its length before it (RFC 1035,
// section 4.2.2).
func Frame(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
}

// ReadFrame reads a message that was sent so.
func ReadFrame(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, msg)
	return msg, err
}
