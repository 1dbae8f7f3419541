package source

import (
	"bytes"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// parsed reads servers, each with the domains after it.
func parsed(t *testing.T, lines ...string) (all []server.Server) {
	t.Helper()
	for _, line := range lines {
		words := strings.Fields(line)
		s, err := server.Parse(words[0])
		if err != nil {
			t.Fatal(err)
		}
		s.Domains = words[1:]
		all = append(all, s)
	}
	return all
}

// written is what parsed reads.
func written(servers []server.Server) (lines []string) {
	for _, s := range servers {
		lines = append(lines, strings.Join(append([]string{s.Written()}, s.Domains...), " "))
	}
	return lines
}

func whatAndWhy(all []Skipped) (lines []string) {
	for _, l := range all {
		lines = append(lines, l.What+": "+l.Why)
	}
	return lines
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

var someLinks = interfaces{1: "lo", 2: "eth0", 3: "tun0", 4: "eth0.100", 7: "vEthernet (WSL)"}

func TestCollect(t *testing.T) {
	servers := parsed(t,
		"192.0.2.1 lan.example.",
		"10.0.0.53%tun0 corp.example.",
		"[10.0.0.53%3]:53 . corp.example.", // the same by its number
		"10.0.0.53%eth0",
		"tls://[10.0.0.53%eth0]%dns.example",
		"127.0.0.53%lo", "127.0.0.1", "[::1]:5353",
		"10.1.0.53%tun9", "10.1.0.53%9",
		"fe80::1%eth0", "fec0:0:0:ffff::1%eth0",
	)
	loose := server.Plain(netip.MustParseAddrPort("[fe80::1]:53"))
	servers = append(servers, loose, server.Plain(netip.MustParseAddrPort("0.0.0.0:53")))
	blank := server.Plain(netip.MustParseAddrPort("10.3.0.53:53"))
	blank.Link = "7"
	servers = append(servers, blank)

	r := collect(servers, []Skipped{{"x", "no address"}}, someLinks)
	expect(t, "servers", written(r.Servers),
		"192.0.2.1:53 lan.example.",
		"[10.0.0.53%tun0]:53 corp.example. .",
		"[10.0.0.53%eth0]:53",
		"tls://[10.0.0.53%eth0]%dns.example:853",
		"[fe80::1%eth0]:53", "[fec0:0:0:ffff::1%eth0]:53",
		"[10.3.0.53%7]:53")
	expect(t, "left out", whatAndWhy(r.Skipped),
		"x: no address",
		"[127.0.0.53%lo]:53: loopback", "127.0.0.1:53: loopback", "[::1]:5353: loopback",
		"[10.1.0.53%tun9]:53: its interface is missing", "[10.1.0.53%9]:53: its interface is missing",
		"[fe80::1]:53: link-local without an interface",
		"0.0.0.0:53: not a server's address")

	if again := collect(servers, []Skipped{{"x", "no address"}}, someLinks); !bytes.Equal(r.Text, again.Text) {
		t.Errorf("the same is %q once and %q then", r.Text, again.Text)
	}
	for what, change := range map[string]func(servers []server.Server) []server.Server{
		"a server": func(servers []server.Server) []server.Server { return servers[1:] },
		"a domain": func(servers []server.Server) []server.Server {
			servers[0].Domains = []string{"x.example."}
			return servers
		},
		"no domain":            func(servers []server.Server) []server.Server { servers[0].Domains = nil; return servers },
		"that one is of a VPN": func(servers []server.Server) []server.Server { servers[0].VPN = true; return servers },
		"what is left":         func(servers []server.Server) []server.Server { return servers[:len(servers)-2] },
		"the link of one":      func(servers []server.Server) []server.Server { servers[0].Link = "eth0"; return servers },
	} {
		if other := collect(change(slices.Clone(servers)), nil, someLinks); bytes.Equal(r.Text, other.Text) {
			t.Errorf("%s changes, but not the text", what)
		}
	}
	if r := collect(parsed(t, "10.0.0.53%tun0"), nil, nil); len(r.Servers) != 1 {
		t.Errorf("where links cannot be listed: %+v", r)
	}
}

// hostile would forge a line, change a terminal, and turn the direction of writing.
const hostile = "\n[ERROR] forged line \x1b[31m\u009b1m\u202e"

// mustShow requires that all texts can be shown.
func mustShow(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if text != printable.Text(text) {
			t.Errorf("%q cannot be shown", text)
		}
	}
}

// Other programs choose the names of interfaces, servers and domains; all that is kept of them can be
// shown.
func TestCollectHostile(t *testing.T) {
	of := func(text string, change func(*server.Server)) server.Server {
		s, err := server.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		change(&s)
		return s
	}
	r := collect([]server.Server{
		of("10.0.0.1", func(s *server.Server) { s.Link = hostile }),
		of("10.0.0.2", func(s *server.Server) { s.Link = "lan" + hostile }),
		of("tls://10.0.0.3", func(s *server.Server) { s.Name = hostile }),
		of("tls://10.0.0.4", func(s *server.Server) { s.Name = "dns.example:1" }),
		of("https://10.0.0.5", func(s *server.Server) { s.Path = "/" + hostile }),
		of("10.0.0.6", func(s *server.Server) {
			s.Domains = domains(hostile, "a\x1b.example", "corp.example", "b\u00fccher.example")
		}),
	}, []Skipped{{"a" + hostile, "b" + hostile}}, interfaces{5: "lan" + hostile})
	expect(t, "servers", written(r.Servers), "[10.0.0.2%5]:53", "10.0.0.6:53 corp.example. b\u00fccher.example.")
	if len(r.Skipped) != 5 {
		t.Errorf("left out are %q", whatAndWhy(r.Skipped))
	}
	mustShow(t, append(whatAndWhy(r.Skipped), written(r.Servers)...)...)
}

func TestMerge(t *testing.T) {
	for what, tc := range map[string]struct{ all, want []string }{
		"nothing":              {},
		"order":                {[]string{"192.0.2.2", "192.0.2.1", "192.0.2.2"}, []string{"192.0.2.2:53", "192.0.2.1:53"}},
		"two links":            {[]string{"192.0.2.1%a", "192.0.2.1%b"}, []string{"[192.0.2.1%a]:53", "[192.0.2.1%b]:53"}},
		"the link wins":        {[]string{"192.0.2.1", "192.0.2.9", "192.0.2.1%a"}, []string{"192.0.2.9:53", "[192.0.2.1%a]:53"}},
		"also over a later":    {[]string{"192.0.2.1%a", "192.0.2.1"}, []string{"[192.0.2.1%a]:53"}},
		"not another port":     {[]string{"192.0.2.1%a", "192.0.2.1:54"}, []string{"[192.0.2.1%a]:53", "192.0.2.1:54"}},
		"not another name":     {[]string{"tls://[192.0.2.1%a]%x.example", "tls://192.0.2.1"}, []string{"tls://[192.0.2.1%a]%x.example:853", "tls://192.0.2.1:853"}},
		"not another path":     {[]string{"https://[192.0.2.1%a]/a", "https://192.0.2.1/b"}, []string{"https://[192.0.2.1%a]:443/a", "https://192.0.2.1:443/b"}},
		"not another way":      {[]string{"tls://[192.0.2.1%a]", "192.0.2.1"}, []string{"tls://[192.0.2.1%a]:853", "192.0.2.1:53"}},
		"the domains of both":  {[]string{"192.0.2.1%a x. y.", "192.0.2.1%a y. z."}, []string{"[192.0.2.1%a]:53 x. y. z."}},
		"not those without it": {[]string{"192.0.2.1 x.", "192.0.2.1%a"}, []string{"[192.0.2.1%a]:53"}},
	} {
		all := parsed(t, tc.all...)
		before := written(all)
		expect(t, what, written(merge(all)), tc.want...)
		expect(t, what+": what was given", written(all), before...)
	}
}

func TestDomains(t *testing.T) {
	expect(t, "domains", domains("Corp.Example", "~corp.example.", "~.", "", "~", "a..b", "lan"), "corp.example.", ".", "lan.")
}

func TestLinkOf(t *testing.T) {
	for record, want := range map[string]string{
		"eth0":                 "eth0",
		"eth0.dhclient":        "eth0",
		"eth0.100":             "eth0.100",
		"eth0.100.dhclient":    "eth0.100",
		"eth0.10":              "eth0",
		"eth0.ip6.dhclient":    "eth0",
		"tun0.openvpn":         "tun0",
		"tun1.openvpn":         "",
		"tun.eth0":             "eth0",
		"tun.eth0.100":         "eth0.100",
		"tun0.eth0":            "tun0",
		"hso.tun9":             "",
		"..":                   "",
		"NetworkManager":       "",
		"lo.dnsmus":            "lo",
		"2":                    "",
		"2.dhclient":           "",
		"eth":                  "",
		"":                     "",
		"vEthernet (WSL).dhcp": "vEthernet (WSL)",
	} {
		if got := linkOf(record, someLinks); got != want {
			t.Errorf("%q is of link %q, want %q", record, got, want)
		}
	}
}

func TestScutil(t *testing.T) {
	servers, skipped := scutilDNS(string(golden(t, "scutil.txt")))
	expect(t, "servers", written(servers),
		"[192.168.1.1%en0]:53 home.example.",
		"[fe80::1%en0]:53 home.example.",
		"[10.8.0.53%utun3]:53 corp.example.",
		"[10.8.0.54%utun3]:53 corp.example.",
		"127.0.0.1:5553 test.example.",
		"[192.168.1.1%en0]:53 home.example.",
		"[fe80::1%en0]:53 home.example.",
		"[10.8.0.53%utun3]:53 corp.example.",
		"[10.0.0.53%utun4]:5300 branch.example. lab.example.",
		"[2001:db8::53%9]:53",
	)
	expect(t, "left out", whatAndWhy(skipped), `"300.1.1.1": not a valid address`)

	// In a list the stub on loopback is left out, and what is said twice counts once.
	r := collect(servers, nil, interfaces{6: "en0", 12: "utun3", 13: "utun4", 9: "en7"})
	expect(t, "collected", written(merge(r.Servers)),
		"[192.168.1.1%en0]:53 home.example.",
		"[fe80::1%en0]:53 home.example.",
		"[10.8.0.53%utun3]:53 corp.example.",
		"[10.8.0.54%utun3]:53 corp.example.",
		"[10.0.0.53%utun4]:5300 branch.example. lab.example.",
		"[2001:db8::53%en7]:53",
	)
	for _, text := range []string{"", "No DNS configuration available\n", "resolver #1\n", "nameserver[0] :\n"} {
		if servers, _ := scutilDNS(text); len(servers) > 0 {
			t.Errorf("%q names %v", text, servers)
		}
	}
}

func TestAdapters(t *testing.T) {
	addrs := func(words ...string) (all []netip.Addr) {
		for _, w := range words {
			all = append(all, netip.MustParseAddr(w))
		}
		return all
	}
	servers, skipped := adapterServers([]adapter{
		{link: "5", up: true, servers: addrs("192.168.1.1", "fe80::1", "fec0:0:0:ffff::1", "fec0:0:0:ffff::2%1"), suffix: "home.example"},
		{link: "12", up: true, servers: addrs("10.0.0.53", "::ffff:10.0.0.54"), suffix: "Corp.Example", more: []string{"corp.example", "lab.example", ""}},
		{link: "13", up: true, servers: addrs("10.0.0.53")},
		{link: "14", servers: addrs("10.9.0.53"), suffix: "away.example"},
		{link: "1", up: true},
	})
	expect(t, "servers", written(servers),
		"[192.168.1.1%5]:53 home.example.",
		"[fe80::1%5]:53 home.example.",
		"[10.0.0.53%12]:53 corp.example. lab.example.",
		"[10.0.0.54%12]:53 corp.example. lab.example.",
		"[10.0.0.53%13]:53")
	expect(t, "left out", whatAndWhy(skipped),
		"[fec0:0:0:ffff::1%5]:53: a placeholder of Windows", "[fec0:0:0:ffff::2%5]:53: a placeholder of Windows", "[10.9.0.53%14]:53: its adapter is down")
}

func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
