//go:build linux

package packaging

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// knowing is a Debian as debian is, with services that know resolvers, and with what those
// depend on that debootstrap does not find out.
var knowing = sync.OnceValues(func() (string, error) {
	return bootstrap("knowing", "dbus", "systemd-resolved", "network-manager", "adduser", "libpam-systemd", "libnss-resolve")
})

// without lets a machine boot without a service.
func without(service string) func(*testing.T, *machine) {
	return func(t *testing.T, m *machine) { run(t, "systemctl", "--root="+m.root, "mask", service) }
}

// site is a network at the other end of a link of the machine's: the machine has 10.9.0.N
// there, and a resolver that knows names below one has the address that it returns after
// that. It is the same at all sites.
func (r *running) site(link string, n int, name string) (address, resolver string) {
	r.Helper()
	ns := testkit.Name()
	run(r.T, "ip", "netns", "add", ns)
	r.Cleanup(func() { run(r.T, "ip", "netns", "delete", ns) })
	run(r.T, "ip", "link", "add", link, "netns", r.ns, "type", "veth", "peer", "name", "out", "netns", ns)
	address, resolver = fmt.Sprintf("10.9.0.%d/24", n), "10.9.0.53"
	run(r.T, "ip", "-netns", r.ns, "address", "add", address, "dev", link)
	run(r.T, "ip", "-netns", r.ns, "link", "set", link, "up")
	run(r.T, "ip", "-netns", ns, "address", "add", resolver+"/24", "dev", "out")
	for _, dev := range []string{"lo", "out"} {
		run(r.T, "ip", "-netns", ns, "link", "set", dev, "up")
	}
	conf := filepath.Join(r.TempDir(), "Corefile")
	write(r.T, conf, fmt.Sprintf(". {\n bind %s\n template IN A %s {\n answer \"{{ .Name }} 60 IN A 198.51.100.%d\"\n }\n template ANY ANY {\n rcode NXDOMAIN\n }\n}\n", resolver, name, n))
	r.start("ip", "netns", "exec", ns, testkit.Binary(r.T), "-conf", conf)
	return address, resolver
}

// becomesDefault has programs ask dnsmus, by which they find an address, and undoes that.
func (r *running) becomesDefault(name, address string) {
	r.Helper()
	hosts, asked := r.read("/etc/nsswitch.conf"), servers(r.read("/etc/resolv.conf"))
	if !strings.Contains(hosts, " resolve ") {
		r.Fatalf("libnss-resolve is not in use:\n%s", hosts)
	}
	r.run("dnsmus-default", "on")
	if got := servers(r.read("/etc/resolv.conf")); got != "nameserver 127.0.0.123\n" {
		r.Errorf("programs ask %s", got)
	}
	if got := r.run("getent", "ahostsv4", name); !strings.HasPrefix(got, address+" ") {
		r.Errorf("programs find %s at %q, want %s", name, got, address)
	}
	r.run("dnsmus-default", "off")
	if got := r.read("/etc/nsswitch.conf"); got != hosts {
		r.Errorf("nsswitch.conf was\n%s\nand is\n%s", hosts, got)
	}
	if got := servers(r.read("/etc/resolv.conf")); got != asked {
		r.Errorf("programs asked %s and now ask %s", asked, got)
	}
}

// No file is edited: the package finds two resolvers with the same address on two links, by
// whatever the system has, as a user without rights in the unit's sandbox, also those that
// come later and those that the system does not take for everything.
func TestZeroConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		base    func() (string, error)
		prepare func(t *testing.T, m *machine) // before it is booted
		tell    func(r *running, link, address, resolver string)
	}{
		"systemd-resolved": {
			base:    knowing,
			prepare: without("NetworkManager"),
			tell: func(r *running, link, _, resolver string) {
				r.run("resolvectl", "dns", link, resolver)
				r.run("resolvectl", "default-route", link, "no")
			},
		},
		"NetworkManager": { // for which the link that comes later hides the other
			base:    knowing,
			prepare: without("systemd-resolved"),
			tell: func(r *running, link, address, resolver string) {
				r.run("nmcli", "device", "set", link, "managed", "yes")
				r.run("nmcli", "connection", "add", "type", "ethernet", "ifname", link, "con-name", "to-"+link, "autoconnect", "no",
					"ipv4.method", "manual", "ipv4.addresses", address, "ipv4.dns", resolver, "ipv6.method", "disabled")
				if link == "vpn0" {
					r.run("nmcli", "connection", "modify", "to-"+link, "ipv4.dns-priority", "-50")
				}
				testkit.Eventually(r.T, func() error { // once the device is known to be ready
					_, err := r.output("nmcli", "connection", "up", "to-"+link)
					return err
				})
			},
		},
		"openresolv": {
			base: debian,
			prepare: func(t *testing.T, m *machine) {
				run(t, "sh", "-euc", `cd "$1" && apt-get download openresolv`, "sh", m.path("/root"))
			},
			tell: func(r *running, link, _, resolver string) {
				r.run("sh", "-c", "dpkg --status openresolv >/dev/null 2>&1 || dpkg --install /root/openresolv*.deb")
				r.run("sh", "-c", "echo nameserver "+resolver+" | resolvconf -a "+link+" -m 0 -x")
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachineFrom(t, tc.base)
			m.write("/etc/resolv.conf", "nameserver 127.0.0.53\n")
			tc.prepare(t, m)
			run(t, "cp", released(t, builds.old, "_"+runtime.GOARCH+".deb"), m.path("/root/dnsmus.deb"))
			r := m.boot()
			site := func(link string, n int, name string) {
				address, resolver := r.site(link, n, name)
				tc.tell(r, link, address, resolver)
			}
			site("lan0", 10, "printer.lan.example")
			r.run("dpkg", "--install", "/root/dnsmus.deb")
			r.answers("printer.lan.example", "198.51.100.10")
			site("vpn0", 20, "wiki.corp.example")
			r.answers("wiki.corp.example", "198.51.100.20")
			r.answers("printer.lan.example", "198.51.100.10")

			if exists(r.path(list)) {
				t.Errorf("%s was made, of what is known only now:\n%s", list, r.read(list))
			}
			if journal := r.run("journalctl", "--no-pager", "--unit=dnsmus"); strings.Contains(journal, "[WARNING]") || strings.Contains(journal, "[ERROR]") {
				t.Errorf("the journal complains:\n%s", journal)
			}
			if status := r.run("cat", "/proc/"+r.property("MainPID")+"/status"); strings.Contains(status, "Uid:\t0\t") || !strings.Contains(status, "Seccomp:\t2\n") {
				t.Errorf("it is not in its sandbox:\n%s", status)
			}
			if out := r.run("dnsmus", "explain", "--links"); !strings.Contains(out, "%lan0]:53") || !strings.Contains(out, "%vpn0]:53") {
				t.Errorf("explain --links shows\n%s", out)
			}
			if name == "systemd-resolved" { // alone, which lets others write resolv.conf
				r.becomesDefault("wiki.corp.example", "198.51.100.20")
			}
		})
	}
}
