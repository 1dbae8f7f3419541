//go:build linux

package doctor

import (
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestParseHosts(t *testing.T) {
	for text, want := range map[string]string{
		"hosts: files dns\n": "files dns",
		"passwd: files\nhosts:\tfiles mdns4_minimal [NOTFOUND=return] dns # x\n": "files mdns4_minimal! dns",
		"hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns":       "mymachines resolve! files myhostname dns",
		"hosts: files resolve[!unavail=return]dns":                               "files resolve! dns",
		"hosts: files mdns4 [ success=return  notfound=continue ] dns":           "files mdns4 dns",
		"hosts: files mdns4_minimal [SUCCESS=return NOTFOUND=return] dns":        "files mdns4_minimal! dns",
		"# hosts: dns\n": "",
	} {
		var got []string
		for _, s := range parseHosts(text) {
			name := s.name
			if s.ends() {
				name += "!"
			}
			got = append(got, name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestNsswitch(t *testing.T) {
	ours := listening("127.0.0.123:53")
	given := map[string][]any{api.Reach: {aName}}
	with := func(hosts, search string, more ...string) *machine {
		files := map[string]string{"/etc/nsswitch.conf": "hosts: " + hosts + "\n", "/etc/resolv.conf": "nameserver 127.0.0.1\nsearch " + search + "\n"}
		for _, path := range more {
			files[path] = ""
		}
		return tree(t, files)
	}
	const resolved = "/run/systemd/resolve/io.systemd.Resolve"
	const before = "files resolve [!UNAVAIL=return] dns"
	diagnose(t, nsswitch, []scenario{
		{"no file", tree(t, nil), nil},
		{"files and dns", with("files dns", "local"), nil},
		{"multicast for others", with("files mdns4_minimal [NOTFOUND=return] dns", "corp.example"), nil},
		{"multicast for a company's zone", with("files mdns4_minimal [NOTFOUND=return] dns", "local"), []string{"Names in local | sed -i '/^hosts:/s/mdns4_minimal | hosts: files mdns4_minimal [NOTFOUND=return] dns"}},
		{"multicast below local, which is left to dns", with("files mdns4_minimal [NOTFOUND=return] dns", "corp.local"), nil},
		{"multicast below local", with("files mdns4_minimal [NOTFOUND=return] dns", "corp.local", mdnsAllowPath), []string{"Names in corp.local"}},
		{"multicast that goes on", with("files mdns4_minimal dns", "local"), nil},
		{"multicast last", with("files dns mdns4_minimal [NOTFOUND=return]", "local"), nil},
		{"no dns", with("files mdns4", "corp.example"), []string{"asks no resolver"}},
		{"resolved does not run", with(before, "corp.example"), nil},
		{"resolved asks dnsmus", with(before, "corp.example", resolved).served(t, ours, given).answering(t, aName.A).printing(reaches), nil},
		{"resolved asks others", with(before, "corp.example", resolved).served(t, ours, given).answering(t, aName.A).printing(reachesNot), []string{"asks systemd-resolved before dns | sudo sed"}},
		{"resolved asks others, after dns", with("files dns resolve [!UNAVAIL=return]", "corp.example", resolved).served(t, ours, given).answering(t, aName.A).printing(reachesNot), nil},
	})
}

// Tables of sockets, as the kernel has them on a little-endian machine.
const (
	udpHead    = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	udpStub    = "   1: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   102        0 4242 2 0 0\n"
	udpOurs    = "   2: 7B00007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4343 2 0 0\n"
	udpOther   = "   3: 0100007F:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4444 2 0 0\n"
	tcpOurs    = "   0: 7B00007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4545 1 0 100 0 0 10 0\n"
	tcpTalking = "   1: 7B00007F:0035 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4646 1 0 100 0 0 10 0\n"
	tcpStub    = "   2: 3500007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   102        0 4747 1 0 100 0 0 10 0\n"
	udp6All    = "   1: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4848 2 0 0\n"
	tcp6One    = "   1: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4949 1 0 0 0 0 0 0\n"
)

func TestParseSockets(t *testing.T) {
	var got []string
	for _, h := range slices.Concat(parseSockets(udpHead+udpStub+udpOurs+udpOther, false), parseSockets(udpHead+tcpOurs+tcpTalking, true), parseSockets(udpHead+udp6All, false), parseSockets(udpHead+tcp6One+"x\n", true)) {
		got = append(got, h.String()+" "+h.inode)
	}
	const who = ": a process that only root can see "
	want := []string{
		"127.0.0.53, port 53 over UDP" + who + "4242", "127.0.0.123, port 53 over UDP" + who + "4343", "127.0.0.123, port 53 over TCP" + who + "4545",
		"::, port 53 over UDP" + who + "4848", "::1, port 53 over TCP" + who + "4949",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestPort53(t *testing.T) {
	given := map[string][]any{api.Reach: {aName}}
	ours := listening("127.0.0.123:53")
	with := func(nameserver, udp, tcp string) *machine {
		return tree(t, map[string]string{
			"/etc/resolv.conf": "nameserver " + nameserver + "\n", "/proc/net/udp": udpHead + udp, "/proc/net/tcp": udpHead + tcp,
			"/proc/812/fd/7": "-> socket:[4343]", "/proc/812/fd/8": "-> socket:[4545]", "/proc/812/comm": "dnsmus\n",
			"/proc/99/fd/12": "-> socket:[4242]", "/proc/99/fd/13": "-> /dev/null", "/proc/99/comm": "systemd-resolve\n",
		})
	}
	diagnose(t, port53, []scenario{
		{"dnsmus", with("127.0.0.123", udpStub+udpOurs, tcpOurs+tcpStub), nil},
		{"a resolver elsewhere", with("192.168.1.1", "", ""), nil},
		{"nobody", with("127.0.0.123", udpStub, tcpStub), []string{"Programs ask 127.0.0.123, and nobody listens there. | nameserver 127.0.0.123"}},
		{"UDP alone", with("127.0.0.123", udpOurs, tcpStub), []string{"nobody listens over TCP | dnsmus (process 812)"}},
		{"all addresses", with("127.0.0.123", udpHead+strings.ReplaceAll(udpOurs, "7B00007F", "00000000"), tcpOurs), nil},
	})
	// What is asked at 127.0.0.1 a test may answer.
	stub := func() *machine {
		m := with("127.0.0.1", strings.ReplaceAll(udpStub, "3500007F", "0100007F"), strings.ReplaceAll(tcpStub, "3500007F", "0100007F"))
		return m.served(t, ours, given)
	}
	diagnose(t, port53, []scenario{
		{"another that asks dnsmus", stub().answering(t, aName.A).printing(reaches), nil},
		{"another that does not", stub().answering(t, "").printing(reachesNot), []string{"Programs ask 127.0.0.1, where dnsmus does not listen, but systemd-resolve, which does not ask it. | process 99"}},
	})
	if _, err := port53(t.Context(), tree(t, nil)); err == nil {
		t.Error("nothing can be seen, and nothing is said")
	}
}
