package udp

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// Peers that differ by their links only are told apart, both ways; so are errors.
func TestLinks(t *testing.T) {
	testkit.Need(t, true, "ip")
	for _, v6 := range []bool{false, true} {
		network, to, closed := "udp4", netip.MustParseAddrPort("10.0.0.53:53"), netip.MustParseAddrPort("10.0.0.53:54")
		if v6 {
			network, to, closed = "udp6", netip.MustParseAddrPort("[fd00::53]:53"), netip.MustParseAddrPort("[fd00::53]:54")
		}
		netns := testkit.Netns(t)
		var indexes []uint32
		for i := range 2 {
			far := testkit.Netns(t)
			name := fmt.Sprintf("tun%d", i)
			testkit.IP(t, netns, "link", "add", name, "type", "veth", "peer", "name", "home", "netns", far)
			for ns, addrs := range map[string][]string{netns: {fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("fd00::%d/64", i+1)}, far: {"10.0.0.53/24", "fd00::53/64"}} {
				dev := name
				if ns == far {
					dev = "home"
				}
				testkit.IP(t, ns, "address", "add", addrs[0], "dev", dev)
				testkit.IP(t, ns, "address", "add", addrs[1], "dev", dev, "nodad")
				testkit.IP(t, ns, "link", "set", dev, "up")
			}
			if err := testkit.InNetns(far, func() {
				conn, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(to))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				go func() {
					buf := make([]byte, 100)
					for {
						n, from, err := conn.ReadFromUDPAddrPort(buf)
						if err != nil {
							return
						}
						conn.WriteToUDPAddrPort(append(buf[:n:n], name...), from)
					}
				}()
			}); err != nil {
				t.Fatal(err)
			}
		}
		inside := func(f func()) {
			t.Helper()
			if err := testkit.InNetns(netns, f); err != nil {
				t.Fatal(err)
			}
		}
		inside(func() {
			for i := range 2 {
				link, err := net.InterfaceByName(fmt.Sprintf("tun%d", i))
				if err != nil {
					t.Fatal(err)
				}
				indexes = append(indexes, uint32(link.Index))
			}
		})
		for kind, listen := range kinds {
			t.Run(kind+" "+network, func(t *testing.T) {
				inside(func() {
					c, in := open(t, listen, v6)
					for round := range 10 {
						var packets []Packet
						for n, link := range []uint32{0, indexes[0], indexes[1], 0} {
							packets = append(packets, Packet{Peer: Peer{to, link}, Msg: fmt.Append(nil, round, "-", n, " ")})
						}
						c.Send(packets)
						for _, p := range packets {
							if p.Err != nil {
								t.Fatal(p.Err)
							}
						}
						for range packets {
							p := next(t, in)
							var n int
							for i, sent := range packets {
								if strings.HasPrefix(string(p.Msg), string(sent.Msg)) {
									n = i
								}
							}
							if bound := packets[n].Peer; bound.Link != 0 {
								want := fmt.Sprintf("tun%d", n-1)
								if p.Peer != bound || !strings.HasSuffix(string(p.Msg), want) {
									t.Errorf("round %d: %q came from %v, want %v and %s", round, p.Msg, p.Peer, bound, want)
								}
							} else if p.Peer.AnyLink() != bound {
								t.Errorf("round %d: %q came from %v, want %v", round, p.Msg, p.Peer, bound)
							}
						}
					}
					if kind == "plain" {
						return
					}
					refused := Peer{closed, indexes[1]}
					c.Send([]Packet{{Peer: refused, Msg: []byte("x")}})
					if p := next(t, in); p.Err == nil || p.Peer != refused {
						t.Errorf("%v, %v is told, want an error of %v", p.Peer, p.Err, refused)
					}
					gone := []Packet{{Peer: Peer{to, 100000}, Msg: []byte("x")}, {Peer: Peer{to, indexes[0]}, Msg: []byte("y")}}
					c.Send(gone)
					if gone[0].Err == nil || gone[1].Err != nil {
						t.Errorf("a link that is not there: %v; another: %v", gone[0].Err, gone[1].Err)
					}
					next(t, in)
				})
			})
		}
	}
}
