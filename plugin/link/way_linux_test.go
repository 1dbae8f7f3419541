package link

import (
	"net/netip"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The way to an address is another one when interface, gateway or source address change, and
// none without a route. What has nothing to do with it leaves it as it is.
func TestWayTo(t *testing.T) {
	netns := pair(t, "eth0")
	ip := func(args ...string) { t.Helper(); testkit.IP(t, netns, args...) }
	ways := func() (v4, v6 Way) {
		t.Helper()
		if err := testkit.InNetns(netns, func() {
			v4, _ = WayTo(netip.MustParseAddr("192.0.2.53"), 0)
			v6, _ = WayTo(netip.MustParseAddr("2001:db8::53"), 0)
		}); err != nil {
			t.Fatal(err)
		}
		return v4, v6
	}
	if v4, v6 := ways(); v4 != (Way{}) || v6 != (Way{}) {
		t.Errorf("without a route: %v, %v", v4, v6)
	}
	ip("link", "add", "eth1", "type", "veth", "peer", "name", "peer1")
	ip("link", "set", "peer1", "up")
	ip("link", "set", "eth1", "up")
	var last4, last6 Way
	for _, step := range []struct {
		what    string
		changes bool
		do      [][]string
	}{
		{"an address and a route", true, [][]string{
			{"address", "add", "10.0.0.1/24", "dev", "eth0"}, {"route", "add", "default", "via", "10.0.0.9"},
			{"address", "add", "fd00::1/64", "dev", "eth0", "nodad"}, {"route", "add", "default", "via", "fd00::9"},
		}},
		{"nothing", false, nil},
		{"another interface's address", false, [][]string{{"address", "add", "10.1.0.1/24", "dev", "eth1"}, {"address", "add", "fd01::1/64", "dev", "eth1", "nodad"}}},
		{"another destination's route", false, [][]string{{"route", "add", "198.51.100.0/24", "via", "10.1.0.9"}}},
		{"another gateway", true, [][]string{{"route", "replace", "default", "via", "10.0.0.8"}, {"route", "replace", "default", "via", "fd00::8"}}},
		{"another source", true, [][]string{
			{"address", "add", "10.0.0.2/24", "dev", "eth0"}, {"route", "replace", "default", "via", "10.0.0.8", "src", "10.0.0.2"},
			{"address", "add", "fd00::2/64", "dev", "eth0", "nodad"}, {"route", "replace", "default", "via", "fd00::8", "src", "fd00::2"},
		}},
		{"another interface", true, [][]string{{"route", "replace", "192.0.2.0/24", "via", "10.1.0.9"}, {"route", "replace", "2001:db8::/32", "via", "fd01::9"}}},
		{"back again", true, [][]string{{"route", "delete", "192.0.2.0/24"}, {"route", "delete", "2001:db8::/32"}}},
		{"no route", true, [][]string{{"link", "set", "eth0", "down"}}},
	} {
		for _, args := range step.do {
			ip(args...)
		}
		v4, v6 := ways()
		if (v4 != last4) != step.changes || (v6 != last6) != step.changes {
			t.Errorf("%s: %v after %v, %v after %v", step.what, v4, last4, v6, last6)
		}
		last4, last6 = v4, v6
	}
	if last4 != (Way{}) || last6 != (Way{}) {
		t.Errorf("at last: %v, %v", last4, last6)
	}
}
