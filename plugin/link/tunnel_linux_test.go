package link

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// Addresses are behind a tunnel while their route leads over one, whatever its name; that of a
// named interface counts if packets are bound to it.
func TestIsTunnel(t *testing.T) {
	netns := pair(t, "vpn0") // it is none
	ip := func(args ...string) { t.Helper(); testkit.IP(t, netns, args...) }
	ip("address", "add", "10.0.0.1/24", "dev", "vpn0")
	ip("address", "add", "fd00::1/64", "dev", "vpn0", "nodad")
	for i, mode := range []string{"tun", "tap"} {
		name := fmt.Sprintf("eth%d", i)
		ip("tuntap", "add", name, "mode", mode)
		ip("address", "add", fmt.Sprintf("10.%d.0.1/16", 8+i), "dev", name)
		ip("address", "add", fmt.Sprintf("fd0%d::1/64", 8+i), "dev", name, "nodad")
		ip("link", "set", name, "up")
	}
	expect := func(when string, want map[string]bool) {
		t.Helper()
		if err := testkit.InNetns(netns, func() {
			for text, want := range want {
				var addr, name string
				fmt.Sscan(text, &addr, &name)
				if got := IsTunnel(name, netip.MustParseAddr(addr)); got != want {
					t.Errorf("%s: %s is behind a tunnel: %v", when, text, got)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	expect("by the routes of interfaces", map[string]bool{
		"10.8.0.53": true, "fd08::53": true, "10.9.0.53": true, "fd09::53": true,
		"10.0.0.53": false, "fd00::53": false, "10.0.0.53 vpn0": false, "fe80::53 vpn0": false,
		"10.8.0.53 vpn0": true,  // as with IPsec: routes decide
		"10.8.0.53 eth0": false, // it has no carrier
		"127.0.0.1":      false, "::1": false, "127.0.0.53 lo": false, "10.8.0.1": false,
		"192.0.2.53": false, "2001:db8::53": false, "10.8.0.53 tun9": false,
	})
	ip("route", "add", "default", "via", "10.8.0.9")
	ip("route", "add", "192.0.2.0/24", "via", "10.0.0.9")
	expect("by others", map[string]bool{"198.51.100.53": true, "192.0.2.53": false, "192.0.2.53 vpn0": false, "2001:db8::53": false})
	ip("route", "replace", "default", "via", "10.0.0.9")
	ip("link", "delete", "eth0")
	expect("when the tunnel is gone", map[string]bool{"10.8.0.53": false, "198.51.100.53": false, "10.9.0.53": true})
	if IsTunnel("", netip.Addr{}) {
		t.Error("no address is behind a tunnel")
	}
}

// Where the system does not say which route is taken, the source address tells.
func TestSourceTo(t *testing.T) {
	netns := pair(t, "eth0")
	testkit.IP(t, netns, "address", "add", "10.0.0.1/24", "dev", "eth0")
	testkit.IP(t, netns, "address", "add", "fd00::1/64", "dev", "eth0", "nodad")
	if err := testkit.InNetns(netns, func() {
		for addr, want := range map[string]string{"10.0.0.53": "eth0", "fd00::53": "eth0", "127.0.0.1": "lo", "192.0.2.1": ""} {
			got := ""
			if i := sourceTo(netip.MustParseAddr(addr)); i != nil {
				got = i.Name
			}
			if got != want {
				t.Errorf("%s: %q, want %q", addr, got, want)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
}
