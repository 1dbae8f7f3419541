//go:build linux

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// tunnel connects two labs by a tunnel, as a VPN does: by a TUN or TAP device in each, with
// these addresses. It is gone when the returned function is called.
func tunnel(t *testing.T, name string, flags uint16, a, b *lab, addrA, addrB string) (end func()) {
	t.Helper()
	var ends [2]*os.File
	for i, l := range []*lab{a, b} {
		l.inside(func() {
			fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
			if err != nil {
				testkit.Lack(t, "no TUN devices: %v", err)
			}
			request, err := unix.NewIfreq(name)
			if err != nil {
				t.Fatal(err)
			}
			request.SetUint16(flags | unix.IFF_NO_PI)
			if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
				t.Fatal(err)
			}
			ends[i] = os.NewFile(uintptr(fd), name)
		})
		l.run("ip", "addr", "add", []string{addrA, addrB}[i], "dev", name)
		l.run("ip", "link", "set", name, "up")
	}
	for i := range ends {
		go func() {
			packet := make([]byte, 1<<16)
			for {
				n, err := ends[i].Read(packet)
				if err != nil {
					return
				}
				ends[1-i].Write(packet[:n])
			}
		}()
	}
	end = func() { ends[0].Close(); ends[1].Close() }
	t.Cleanup(end)
	return end
}

// R22: private addresses are taken from the upstream that is reached over a VPN, as long as it
// is: not when the route leads to another machine with its address, and again when the VPN is
// back.
func TestPrivateFromVPN(t *testing.T) {
	const ask = "@127.0.0.1 -p 5553 "
	for kind, flags := range map[string]uint16{"tun": unix.IFF_TUN, "tap": unix.IFF_TAP} {
		t.Run(kind, func(t *testing.T) {
			client := newLab(t, "dnsmasq")
			company, evil := addLab(t), addLab(t)
			join(client, evil, "10.7.0.2/24", "10.7.0.1/24")
			for _, server := range []*lab{company, evil} {
				server.run("ip", "addr", "add", "10.8.0.53/32", "dev", "lo")
			}
			client.run("ip", "route", "add", "default", "via", "10.7.0.1")
			evil.dnsmasq("10.8.0.53", "53", "--address=/example/192.168.1.1").awaits("@10.8.0.53 evil.example")
			connect := func() (end func()) {
				return tunnel(t, "vpn0", flags, client, company, "10.8.0.2/24", "10.8.0.3/24")
			}
			disconnect := connect()
			company.dnsmasq("10.8.0.53", "53", "--address=/corp.example/10.1.0.10").awaits("@10.8.0.53 wiki.corp.example")
			client.resolvConf("10.8.0.53")
			client.coredns(`.:5553 {
				bind 127.0.0.1
				dnsmus resolv.conf.dnsmus {
					private_from vpn
				}
				errors
			}`).awaits(ask + "wiki.corp.example")
			client.expect(ask+"wiki.corp.example", "NOERROR 10.1.0.10")
			becomes := func(name, want string) {
				client.eventually(func() error {
					if got := client.ask(ask + name).String(); got != want {
						return fmt.Errorf("%s: %s, want %s", name, got, want)
					}
					return nil
				})
			}
			for range 2 {
				disconnect()
				becomes("evil.example", "NOERROR")
				for _, name := range []string{"a.example", "wpad.example", "b.corp.example", "+tcp c.example"} {
					client.expect(ask+name, "NOERROR")
				}
				out, err := client.output(testkit.Binary(t), "explain", "d.example", "--private-from", "vpn", "@10.8.0.53")
				if !strings.Contains(out, "private_from leaves this upstream out") || !strings.Contains(out, "d.example. A: NODATA after ") {
					t.Errorf("explain: %v\n%s", err, out)
				}
				disconnect = connect()
				becomes("wiki.corp.example", "NOERROR 10.1.0.10")
			}
		})
	}
}
