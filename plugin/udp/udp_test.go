package udp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// kinds are the sockets of this package, which all do the same.
var kinds = map[string]func(bool, Receiver) (Conn, error){"as the system can": Listen, "plain": listenPlain}

func listenPlain(v6 bool, received Receiver) (Conn, error) {
	udp, err := Open(v6)
	if err != nil {
		return nil, err
	}
	return plainOn(udp, v6, received), nil
}

// echo returns what sends each packet back, and its address.
func echo(t *testing.T, network, ip string) Peer {
	t.Helper()
	conn, err := net.ListenUDP(network, &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		testkit.Lack(t, "a UDP socket: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(buf[:n], from)
		}
	}()
	return peerFrom(conn.LocalAddr().(*net.UDPAddr).AddrPort(), 0)
}

// open returns a socket, and what it receives.
func open(t *testing.T, listen func(bool, Receiver) (Conn, error), v6 bool) (Conn, chan Packet) {
	t.Helper()
	in := make(chan Packet, 1024)
	c, err := listen(v6, func(packets []Packet) {
		for _, p := range packets {
			p.Msg = bytes.Clone(p.Msg)
			in <- p
		}
	})
	if err != nil {
		testkit.Lack(t, "a UDP socket: %v", err)
	}
	t.Cleanup(c.Close)
	return c, in
}

func next(t *testing.T, in chan Packet) Packet {
	t.Helper()
	select {
	case p := <-in:
		return p
	case <-time.After(testkit.Patience):
		t.Fatal("no packet came")
	}
	return Packet{}
}

// More packets than fit in a call, to several peers, come back from whom they went to.
func TestManyPeers(t *testing.T) {
	for kind, listen := range kinds {
		for network, ip := range map[string]string{"udp4": "127.0.0.1", "udp6": "::1"} {
			t.Run(kind+" "+network, func(t *testing.T) {
				peers := []Peer{echo(t, network, ip), echo(t, network, ip), echo(t, network, ip)}
				c, in := open(t, listen, network == "udp6")
				const n = 50
				var packets []Packet
				for i := range n {
					packets = append(packets, Packet{Peer: peers[i%len(peers)], Msg: binary.BigEndian.AppendUint16(nil, uint16(i))})
				}
				c.Send(packets)
				for i, p := range packets {
					if p.Err != nil {
						t.Fatalf("packet %d: %v", i, p.Err)
					}
				}
				seen := make(map[uint16]bool)
				for len(seen) < n {
					p := next(t, in)
					i := binary.BigEndian.Uint16(p.Msg)
					if want := peers[int(i)%len(peers)]; p.Peer != want || seen[i] {
						t.Fatalf("packet %d came from %v, want %v; seen before %v", i, p.Peer, want, seen[i])
					}
					seen[i] = true
				}
			})
		}
	}
}

func TestLongPacket(t *testing.T) {
	for kind, listen := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer := echo(t, "udp4", "127.0.0.1")
			c, in := open(t, listen, false)
			long := bytes.Repeat([]byte("dns!"), 15000)
			c.Send([]Packet{{Peer: peer, Msg: long}})
			if p := next(t, in); !bytes.Equal(p.Msg, long) {
				t.Errorf("%d bytes came of %d", len(p.Msg), len(long))
			}
		})
	}
}

// closedPort is a peer where nothing listens.
func closedPort(t *testing.T, network, ip string) Peer {
	t.Helper()
	conn, err := net.ListenUDP(network, &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		testkit.Lack(t, "a UDP socket: %v", err)
	}
	defer conn.Close()
	return peerFrom(conn.LocalAddr().(*net.UDPAddr).AddrPort(), 0)
}

// A closed port is reported as such, with its peer, and costs no other peer a packet.
func TestErrorsOfOthers(t *testing.T) {
	if runtime.GOOS != "linux" {
		testkit.Lack(t, "a system that tells whom an error is about")
	}
	for network, ip := range map[string]string{"udp4": "127.0.0.1", "udp6": "::1"} {
		t.Run(network, func(t *testing.T) {
			open1, open2, closed := echo(t, network, ip), echo(t, network, ip), closedPort(t, network, ip)
			c, in := open(t, Listen, network == "udp6")
			const rounds = 100
			replies, refused := make(map[Peer]int), 0
			for round := range rounds {
				packets := []Packet{{Peer: closed}, {Peer: open1}, {Peer: closed}, {Peer: open2}}
				for i := range packets {
					packets[i].Msg = binary.BigEndian.AppendUint16(nil, uint16(round))
				}
				c.Send(packets)
				for i, p := range packets {
					if p.Err != nil && p.Peer != closed {
						t.Fatalf("round %d, packet %d: %v", round, i, p.Err)
					}
				}
				for replies[open1] <= round || replies[open2] <= round {
					p := next(t, in)
					switch {
					case p.Err == nil:
						replies[p.Peer]++
					case p.Peer != closed || !errors.Is(p.Err, syscall.ECONNREFUSED):
						t.Fatalf("%v about %v", p.Err, p.Peer)
					default:
						refused++
					}
				}
			}
			for refused == 0 { // the system limits how many it tells
				if p := next(t, in); p.Err != nil {
					refused++
				}
			}
		})
	}
}

// Whoever receives may close.
func TestCloseByReceiver(t *testing.T) {
	for kind, listen := range kinds {
		t.Run(kind, func(t *testing.T) {
			peer := echo(t, "udp4", "127.0.0.1")
			var c Conn
			ready, closed := make(chan struct{}), make(chan struct{})
			c, err := listen(false, func([]Packet) {
				<-ready
				c.Close()
				close(closed)
			})
			if err != nil {
				t.Fatal(err)
			}
			close(ready)
			c.Send([]Packet{{Peer: peer, Msg: []byte("one")}})
			select {
			case <-closed:
			case <-time.After(testkit.Patience):
				t.Fatal("Close does not return")
			}
			for end := time.Now().Add(testkit.Patience); ; time.Sleep(time.Millisecond) {
				packets := []Packet{{Peer: peer, Msg: []byte("two")}}
				if c.Send(packets); errors.Is(packets[0].Err, net.ErrClosed) {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the socket is open")
				}
			}
		})
	}
}

func TestPeerFrom(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		testkit.Lack(t, "an interface lo: %v", err)
	}
	at := netip.MustParseAddrPort
	for text, want := range map[string]Peer{
		"192.0.2.1:53":               {Addr: at("192.0.2.1:53")},
		"[::ffff:192.0.2.1]:53":      {Addr: at("192.0.2.1:53")},
		"[2001:db8::1]:53":           {Addr: at("[2001:db8::1]:53")},
		"[2001:db8::1%lo]:53":        {Addr: at("[2001:db8::1]:53")},
		"[fe80::1%lo]:53":            {Addr: at("[fe80::1]:53"), Link: uint32(lo.Index)},
		"[fe80::1%7]:53":             {Addr: at("[fe80::1]:53"), Link: 7},
		"[fe80::1%there-is-none]:53": {Addr: at("[fe80::1]:53")},
	} {
		if got := peerFrom(at(text), 0); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
