//go:build unix

package ports

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// takeAll takes all file descriptors of the process, of which there are few from then on, and
// returns what gives them back.
func takeAll(t *testing.T) (giveBack func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 200
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var taken []*os.File
	giveBack = func() {
		for _, f := range taken {
			f.Close()
		}
		taken = nil
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			if !exhausted(err) {
				t.Fatal(err)
			}
			return giveBack
		}
		taken = append(taken, f)
	}
}

// spent has a budget whose spares are there.
func spent(t *testing.T) *Budget {
	udp.Reserve()
	b := NewBudget(100, 100)
	b.spares.most = maxSpares
	b.spares.fillNow()
	t.Cleanup(func() {
		for f := range b.spares.udp {
			for _, conn := range b.spares.udp[f] {
				conn.Close()
			}
			for _, fd := range b.spares.streams[f] {
				syscall.Close(fd)
			}
			for _, p := range b.spares.worn[f] {
				p.Conn.Close()
			}
		}
	})
	return b
}

// While others have taken all file descriptors, sockets to upstreams are opened all the same:
// ports again and again, connections as far as there are spare ones. When there are
// descriptors again, so are all spares.
func TestSpares(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing.Close()
	echo, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	peer := func(a net.Addr) udp.Peer { return udp.Peer{Addr: netip.MustParseAddrPort(a.String())} }
	b := spent(t)
	giveBack := takeAll(t)
	defer giveBack()

	got := make(chan string, 1)
	received := func(p []udp.Packet) { got <- string(p[0].Msg) }
	var held []udp.Conn
	for i := range 3 * maxSpares { // many more than there are, one after another
		conn, err := b.listenShared(false, received)
		if err != nil {
			t.Fatalf("port %d: %v", i, err)
		}
		if i < maxSpares-1 {
			held = append(held, conn)
			continue
		}
		conn.Send([]udp.Packet{{Peer: peer(echo.LocalAddr()), Msg: []byte("hello")}})
		buf := make([]byte, 10)
		n, from, err := echo.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		echo.WriteTo(buf[:n], from)
		if text := <-got; text != "hello" {
			t.Errorf("port %d got %q", i, text)
		}
		conn.Close()
	}

	for i := range maxSpares - 1 {
		conn, err := b.Dial(t.Context(), peer(tcp.Addr()))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		if i == 0 {
			exchangeOver(t, conn)
		}
		defer conn.Close()
	}
	if _, err := b.Dial(t.Context(), peer(refusing.Addr())); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("of a closed port got %v", err)
	}
	for _, conn := range held {
		conn.Close()
	}

	giveBack()
	b.spares.fillNow()
	s := b.spares
	if len(s.udp[0]) != maxSpares || len(s.streams[0]) != maxSpares || len(s.worn[0]) != 0 {
		t.Errorf("when there are descriptors, %d ports and %d streams are spare, %d are worn", len(s.udp[0]), len(s.streams[0]), len(s.worn[0]))
	}
}

// exchangeOver reads from a connection to which its listener does not write: in time, and after
// its end. It is what package net's are.
func exchangeOver(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := conn.Write([]byte("hello")); err != nil {
		t.Error(err)
	}
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	conn.SetReadDeadline(time.Time{})
	time.AfterFunc(time.Millisecond, func() { conn.Close() })
	if _, err := conn.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("after Close got %v", err)
	}
}

// Dialling over a spare socket ends with its context.
func TestSparesDialEnds(t *testing.T) {
	b := spent(t)
	defer takeAll(t)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.spares.stream(ctx, udp.Peer{Addr: netip.MustParseAddrPort("192.0.2.1:53")}); err == nil {
		t.Error("192.0.2.1 is connected to")
	}
}

// A connection over QUIC has a spare socket, too.
func TestSparesQUIC(t *testing.T) {
	b := spent(t)
	defer takeAll(t)()
	conn, err := b.ListenUDP(t.Context(), udp.Peer{Addr: netip.MustParseAddrPort("127.0.0.1:53")})
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
