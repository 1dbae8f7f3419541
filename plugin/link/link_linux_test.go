package link

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// pair makes two links of a namespace, of which only those are ready whose other end is up.
func pair(t *testing.T, name string) (netns string) {
	testkit.Need(t, true, "ip")
	netns = testkit.Netns(t)
	testkit.IP(t, netns, "link", "add", name, "type", "veth", "peer", "name", "peer")
	testkit.IP(t, netns, "link", "set", "peer", "up")
	testkit.IP(t, netns, "link", "set", name, "up")
	return netns
}

func TestTo(t *testing.T) {
	netns := pair(t, "tun0")
	testkit.IP(t, netns, "address", "add", "10.0.0.1/24", "dev", "tun0")
	testkit.IP(t, netns, "address", "add", "fd00::1/64", "dev", "tun0", "nodad")
	testkit.IP(t, netns, "route", "add", "192.0.2.0/24", "via", "10.0.0.9")
	testkit.IP(t, netns, "route", "add", "blackhole", "198.51.100.0/24")
	testkit.IP(t, netns, "link", "add", "down0", "type", "bridge")
	inside := func(f func()) {
		t.Helper()
		if err := testkit.InNetns(netns, f); err != nil {
			t.Fatal(err)
		}
	}
	var index uint32
	expect := func(when string, want map[string]State) {
		t.Helper()
		inside(func() {
			for text, want := range want {
				var name, addr string
				if _, err := fmt.Sscan(text, &name, &addr); err != nil {
					t.Fatal(err)
				}
				wantIndex := uint32(0)
				if want == Bound {
					wantIndex = index
				}
				if got, state := To(name, netip.MustParseAddr(addr)); state != want || got != wantIndex {
					t.Errorf("%s: %s is %v, %d, want %v, %d", when, text, state, got, want, wantIndex)
				}
			}
		})
	}
	inside(func() {
		i, err := net.InterfaceByName("tun0")
		if err != nil {
			t.Fatal(err)
		}
		index = uint32(i.Index)
	})
	expect("at first", map[string]State{
		"tun0 10.0.0.53":                       Bound,
		"tun0 192.0.2.53":                      Bound,
		fmt.Sprint(index) + " 10.0.0.53":       Bound,
		"tun0 fd00::53":                        Bound,
		"tun0 fe80::53":                        Bound,
		"tun0 203.0.113.53":                    Unbound,
		"tun0 198.51.100.53":                   Unbound,
		"tun0 2001:db8::53":                    Unbound,
		"lo 10.0.0.53":                         Unbound,
		"tun1 10.0.0.53":                       Gone,
		"down0 10.0.0.53":                      Gone,
		"down0 fe80::53":                       Gone,
		fmt.Sprint(index+100000) + " 10.0.0.1": Gone,
	})
	testkit.IP(t, netns, "link", "set", "peer", "down")
	expect("without a carrier", map[string]State{"tun0 10.0.0.53": Gone, "tun0 fe80::53": Gone})
	testkit.IP(t, netns, "link", "set", "peer", "up")
	expect("with a carrier", map[string]State{"tun0 10.0.0.53": Bound})
	testkit.IP(t, netns, "route", "add", "default", "dev", "tun0")
	expect("with a route", map[string]State{"tun0 203.0.113.53": Bound})
	testkit.IP(t, netns, "link", "set", "tun0", "name", "tun1")
	expect("renamed", map[string]State{"tun1 10.0.0.53": Bound, "tun0 10.0.0.53": Gone})
	testkit.IP(t, netns, "link", "delete", "tun1")
	expect("deleted", map[string]State{"tun1 10.0.0.53": Gone})
}

// Each change is told soon, the last as well.
func TestWatch(t *testing.T) {
	netns := pair(t, "tun0")
	state := make(chan State, 1000)
	var stop func()
	if err := testkit.InNetns(netns, func() {
		var err error
		if stop, err = Watch(func() {
			var now State
			if err := testkit.InNetns(netns, func() { _, now = To("tun0", netip.MustParseAddr("10.0.0.53")) }); err != nil {
				t.Error(err)
			}
			state <- now
		}); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	defer stop()
	await := func(want State) {
		t.Helper()
		testkit.Eventually(t, func() error {
			if got := <-state; got != want {
				return fmt.Errorf("it is %v, want %v", got, want)
			}
			return nil
		})
	}
	for range 3 {
		testkit.IP(t, netns, "address", "add", "10.0.0.1/24", "dev", "tun0")
		await(Bound)
		testkit.IP(t, netns, "address", "delete", "10.0.0.1/24", "dev", "tun0")
		await(Gone)
		testkit.IP(t, netns, "address", "add", "10.9.0.1/24", "dev", "tun0")
		await(Unbound)
		testkit.IP(t, netns, "link", "set", "tun0", "down")
		await(Gone)
		testkit.IP(t, netns, "link", "set", "tun0", "up")
		await(Unbound)
		testkit.IP(t, netns, "address", "delete", "10.9.0.1/24", "dev", "tun0")
		await(Gone)
	}
}

// Of two links to the same address, each connection takes the one that it is bound to.
func TestDialer(t *testing.T) {
	testkit.Need(t, true, "ip")
	netns := testkit.Netns(t)
	for i := range 2 {
		name := fmt.Sprintf("tun%d", i)
		far := testkit.Netns(t)
		testkit.IP(t, netns, "link", "add", name, "type", "veth", "peer", "name", "home", "netns", far)
		testkit.IP(t, netns, "address", "add", fmt.Sprintf("10.0.0.%d/24", i+1), "dev", name)
		testkit.IP(t, netns, "link", "set", name, "up")
		testkit.IP(t, far, "address", "add", "10.0.0.53/24", "dev", "home")
		testkit.IP(t, far, "link", "set", "home", "up")
		if err := testkit.InNetns(far, func() {
			l, err := net.Listen("tcp4", "10.0.0.53:53")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					fmt.Fprint(conn, name)
					conn.Close()
				}
			}()
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := testkit.InNetns(netns, func() {
		for range 3 {
			for _, name := range []string{"tun0", "tun1"} {
				index, state := To(name, netip.MustParseAddr("10.0.0.53"))
				if state != Bound {
					t.Fatalf("%s: %v", name, state)
				}
				conn, err := Dialer(index).Dial("tcp", "10.0.0.53:53")
				if err != nil {
					t.Fatal(err)
				}
				var heard string
				fmt.Fscan(conn, &heard)
				conn.Close()
				if heard != name {
					t.Errorf("over %s %q is heard", name, heard)
				}
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
