package server

import (
	"net/netip"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct{ in, want, link string }{
		{"192.0.2.1", "192.0.2.1:53", ""},
		{"[192.0.2.1]", "192.0.2.1:53", ""},
		{"192.0.2.3:5353", "192.0.2.3:5353", ""},
		{"[192.0.2.3]:5353", "192.0.2.3:5353", ""},
		{"192.0.2.4#5353", "192.0.2.4:5353", ""},
		{"192.0.2.4#1", "192.0.2.4:1", ""},
		{"192.0.2.4#65535", "192.0.2.4:65535", ""},
		{"169.254.0.1", "169.254.0.1:53", ""},
		{"127.0.0.53", "127.0.0.53:53", ""},
		{"::1", "[::1]:53", ""},
		{"2001:db8::1", "[2001:db8::1]:53", ""},
		{"2001:DB8:0::1", "[2001:db8::1]:53", ""},
		{"[2001:db8::1]", "[2001:db8::1]:53", ""},
		{"[2001:db8::1]:5353", "[2001:db8::1]:5353", ""},
		{"2001:db8::1#5353", "[2001:db8::1]:5353", ""},
		{"2001:db8::1%eth0", "[2001:db8::1]:53", "eth0"},
		{"fe80::1%eth0", "[fe80::1]:53", "eth0"},
		{"fe80::1%2", "[fe80::1]:53", "2"},
		{"[fe80::1%eth0]", "[fe80::1]:53", "eth0"},
		{"[fe80::1%eth0]:54", "[fe80::1]:54", "eth0"},
		{"fe80::1%eth0#54", "[fe80::1]:54", "eth0"},
		{"fe80::1%eth0.10", "[fe80::1]:53", "eth0.10"},
		{"192.0.2.1%eth0", "192.0.2.1:53", "eth0"},
		{"192.0.2.1%2", "192.0.2.1:53", "2"},
		{"[192.0.2.1%eth0]", "192.0.2.1:53", "eth0"},
		{"[192.0.2.1%eth0]:54", "192.0.2.1:54", "eth0"},
		{"192.0.2.1%eth0:54", "192.0.2.1:54", "eth0"},
		{"192.0.2.1%eth0.10#54", "192.0.2.1:54", "eth0.10"},
		{"::ffff:192.0.2.1%eth0", "192.0.2.1:53", "eth0"},
		{"::ffff:192.0.2.1", "192.0.2.1:53", ""},
		{"[::ffff:192.0.2.1]:54", "192.0.2.1:54", ""},
		{"::ffff:169.254.0.1", "169.254.0.1:53", ""},
		{"fe80::1%" + strings.Repeat("z", maxLink), "[fe80::1]:53", strings.Repeat("z", maxLink)},
	} {
		got, err := Parse(tc.in)
		want := ID{Transport: DNS, Addr: netip.MustParseAddrPort(tc.want), Link: tc.link}
		if err != nil || got.ID != want {
			t.Errorf("%q is %v, %v, want %v", tc.in, got, err, want)
		}
		if again, err := Parse(got.Written()); err != nil || !again.Equal(got) {
			t.Errorf("%s is read back as %v, %v", got, again, err)
		}
	}
}

func TestParseErrors(t *testing.T) {
	const (
		notIP       = "is not an IP address; write an address such as 192.0.2.1"
		badPort     = "bad port; write a number from 1 to 65535"
		badLink     = "bad interface; write its name or number, as in "
		unspecified = "is the unspecified address; for this host write 127.0.0.1 or ::1"
		multicast   = "is a multicast address; write the address of one server"
	)
	for in, want := range map[string]string{
		"":                       notIP,
		"192.0.2":                notIP,
		"192.0.2.018":            notIP,
		"192.0.2.1;x":            notIP,
		"192.0.2.1\x00":          notIP,
		"192.0.2.1 ":             notIP,
		"192.0.2.1:53:54":        notIP,
		"192.0.2.1:53#54":        notIP,
		"dns.example":            notIP,
		"dns.example:53":         notIP,
		":53":                    notIP,
		"#53":                    notIP,
		"[":                      notIP,
		"[]":                     notIP,
		"[]:53":                  notIP,
		"%eth0":                  notIP,
		"[2001:db8::1":           notIP,
		"2001:db8::1]":           notIP,
		"[2001:db8::1]x":         notIP,
		"[[2001:db8::1]]":        notIP,
		"[2001:db8::1]53":        notIP,
		"[2001:db8::1]#53":       notIP,
		"2001:db8:1:2:3:4:5:6:7": notIP,

		"192.0.2.1#":             badPort,
		"192.0.2.1:":             badPort,
		"192.0.2.1#0":            badPort,
		"192.0.2.1:65536":        badPort,
		"192.0.2.1:-1":           badPort,
		"192.0.2.1:+53":          badPort,
		"192.0.2.1:0x35":         badPort,
		"192.0.2.1:domain":       badPort,
		"192.0.2.1#dns.example":  "bad port; for TLS write the name before the port, as in tls://192.0.2.1%dns.example",
		"192.0.2.1#comment":      badPort,
		"192.0.2.1#53#54":        badPort,
		"[2001:db8::1]:":         badPort,
		"[2001:db8::1]:0":        badPort,
		"2001:db8::1#4294967349": badPort,

		"192.0.2.1%":          badLink + "192.0.2.1%eth0 or [192.0.2.1%eth0]:5353",
		"192.0.2.1%:53":       badLink,
		"[192.0.2.1%]:53":     badLink,
		"192.0.2.1%a b":       badLink,
		"192.0.2.1%tun0%tun1": badLink,
		"192.0.2.1:53%eth0":   "has its port in the wrong place; write it last, as in [192.0.2.1%eth0]:53",
		"[192.0.2.1]%eth0":    notIP,

		"fe80::1%":         badLink,
		"fe80::1%#53":      badLink,
		"2001:db8::1%":     badLink,
		"fe80::1%eth0:53":  badLink,
		"fe80::1%eth0;x":   badLink,
		"fe80::1%eth0/64":  badLink,
		"fe80::1%a%b":      badLink,
		"[fe80::1%a]]":     badLink,
		"[fe80::1%[a]:53":  badLink,
		"fe80::1%a b":      badLink,
		"fe80::1%a\tb":     badLink,
		"fe80::1%a\u00a0b": badLink,
		"fe80::1%\x00":     badLink,
		"fe80::1%\xff":     badLink,
		"fe80::1%" + strings.Repeat("z", maxLink+1): badLink,

		"0.0.0.0":        unspecified,
		"::":             unspecified,
		"[::]:53":        unspecified,
		"::%eth0":        unspecified,
		"::ffff:0.0.0.0": unspecified,

		"224.0.0.251":        multicast,
		"ff02::fb%eth0":      multicast,
		"::ffff:239.1.2.3":   multicast,
		"[ff02::fb]:5353":    multicast,
		"239.255.255.250:53": multicast,

		"fe80::1":         "is link-local and needs an interface after it, as in fe80::1%eth0",
		"[fe80::2]:53":    "as in fe80::2%eth0",
		"febf::1#53":      "as in febf::1%eth0",
		"\u202e192.0.2.1": `"\u202e192.0.2.1"`,
	} {
		got, err := Parse(in)
		if err == nil || got.Addr.IsValid() {
			t.Errorf("%q is taken for %v", in, got)
			continue
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", in, err, want)
		}
	}
}

func TestErrorQuotes(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"192.0.2", `"192.0.2" is not an IP address; write an address such as 192.0.2.1, 192.0.2.1:5353 or [2001:db8::1]:5353`},
		{"a\nb\x1b", `"a\nb\x1b" is `},
		{strings.Repeat("x", 64), `"` + strings.Repeat("x", 64) + `" is `},
		{strings.Repeat("x", 65), `"` + strings.Repeat("x", 64) + `"... is `},
		{"x" + strings.Repeat("é", 40), `"x` + strings.Repeat("é", 31) + `"... is `}, // no half of a letter
		{"192.0.2.1#" + strings.Repeat("9", 1000), `"192.0.2.1#` + strings.Repeat("9", 54) + `"... has a bad port`},
	} {
		_, err := Parse(tc.in)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("error for %.70q is %v, want it to start with %s", tc.in, err, tc.want)
		}
	}
}

func TestParseEncrypted(t *testing.T) {
	for _, tc := range []struct {
		in, addr, name string
		transport      Transport
		text           string // after it "/" and the path, if there is one
	}{
		{"dns://192.0.2.1", "192.0.2.1:53", "", DNS, "192.0.2.1:53"},
		{"tls://192.0.2.1", "192.0.2.1:853", "", TLS, "tls://192.0.2.1:853"},
		{"tls://192.0.2.1:8853", "192.0.2.1:8853", "", TLS, "tls://192.0.2.1:8853"},
		{"tls://192.0.2.1#8853", "192.0.2.1:8853", "", TLS, "tls://192.0.2.1:8853"},
		{"tls://192.0.2.1%dns.example", "192.0.2.1:853", "dns.example", TLS, "tls://192.0.2.1%dns.example:853"},
		{"tls://192.0.2.1%dns.example:10853", "192.0.2.1:10853", "dns.example", TLS, "tls://192.0.2.1%dns.example:10853"},
		{"tls://2001:db8::1", "[2001:db8::1]:853", "", TLS, "tls://[2001:db8::1]:853"},
		{"tls://2001:db8::1%dns.example", "[2001:db8::1]:853", "dns.example", TLS, "tls://[2001:db8::1]%dns.example:853"},
		{"tls://[2001:db8::1]%dns.example:1853", "[2001:db8::1]:1853", "dns.example", TLS, "tls://[2001:db8::1]%dns.example:1853"},
		{"tls://[10.8.0.1%wg0]", "[10.8.0.1%wg0]:853", "", TLS, "tls://[10.8.0.1%wg0]:853"},
		{"tls://[10.8.0.1%wg0]:8853", "[10.8.0.1%wg0]:8853", "", TLS, "tls://[10.8.0.1%wg0]:8853"},
		{"tls://[10.8.0.1%wg0]%dns.example", "[10.8.0.1%wg0]:853", "dns.example", TLS, "tls://[10.8.0.1%wg0]%dns.example:853"},
		{"https://[10.8.0.1%wg0]%dns.example:8443/x", "[10.8.0.1%wg0]:8443", "dns.example", HTTPS, "https://[10.8.0.1%wg0]%dns.example:8443/x"},
		{"quic://[2001:db8::1%wg0]", "[2001:db8::1%wg0]:853", "", QUIC, "quic://[2001:db8::1%wg0]:853"},
		{"dns://10.8.0.1%wg0", "[10.8.0.1%wg0]:53", "", DNS, "[10.8.0.1%wg0]:53"},
		{"tls://[fe80::1%eth0]", "[fe80::1%eth0]:853", "", TLS, "tls://[fe80::1%eth0]:853"},
		{"tls://[fe80::1%eth0]%dns.example", "[fe80::1%eth0]:853", "dns.example", TLS, "tls://[fe80::1%eth0]%dns.example:853"},
		{"https://192.0.2.1", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443"},
		{"https://192.0.2.1/dns-query", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443"},
		{"https://192.0.2.1%dns.example:8443/dns-query", "192.0.2.1:8443", "dns.example", HTTPS, "https://192.0.2.1%dns.example:8443"},
		{"quic://192.0.2.1", "192.0.2.1:853", "", QUIC, "quic://192.0.2.1:853"},
		{"https://192.0.2.1/abc123", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443/abc123"},
		{"https://192.0.2.1/", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443/"},
		{"https://192.0.2.1:8443/dns-query/abc123", "192.0.2.1:8443", "", HTTPS, "https://192.0.2.1:8443/dns-query/abc123"},
		{"https://192.0.2.1#8443/dns-query{?dns}", "192.0.2.1:8443", "", HTTPS, "https://192.0.2.1:8443"},
		{"https://192.0.2.1/x{?dns}", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443/x"},
		{"https://192.0.2.1?profile=x", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443/?profile=x"},
		{"https://192.0.2.1%dns.example/a%20b/c?d=e&f", "192.0.2.1:443", "dns.example", HTTPS, "https://192.0.2.1%dns.example:443/a%20b/c?d=e&f"},
		{"https://[2001:db8::1]%dns.example:8443/x", "[2001:db8::1]:8443", "dns.example", HTTPS, "https://[2001:db8::1]%dns.example:8443/x"},
		{"https://2001:db8::1%dns.example/x", "[2001:db8::1]:443", "dns.example", HTTPS, "https://[2001:db8::1]%dns.example:443/x"},
		{"https://[fe80::1%eth0]%dns.example/x", "[fe80::1%eth0]:443", "dns.example", HTTPS, "https://[fe80::1%eth0]%dns.example:443/x"},
	} {
		got, err := Parse(tc.in)
		want := Server{ID: ID{Transport: tc.transport, Name: tc.name}}
		before, after, linked := strings.Cut(tc.addr, "%")
		if linked {
			var port string
			want.Link, port, _ = strings.Cut(after, "]")
			if tc.addr = before + "]" + port; !strings.Contains(before, "::") {
				tc.addr = strings.TrimPrefix(before, "[") + port
			}
		}
		want.Addr = netip.MustParseAddrPort(tc.addr)
		if i := strings.Index(strings.TrimPrefix(tc.text, "https://"), "/"); i >= 0 && tc.transport == HTTPS {
			want.Path = tc.text[len("https://")+i:]
		}
		if err != nil || !got.Equal(want) || got.Written() != tc.text {
			t.Errorf("%s: got %#v (%s), %v, want %#v", tc.in, got, got, err, want)
		}
		if again, err := Parse(got.Written()); err != nil || !again.Equal(got) {
			t.Errorf("%s is read back as %v, %v", got, again, err)
		}
	}
	for in, want := range map[string]string{
		"grpc://192.0.2.1":                              "has an unknown transport; write dns, tls, https or quic",
		"TLS://192.0.2.1":                               "has an unknown transport",
		"://192.0.2.1":                                  "has an unknown transport",
		"tls://tls://192.0.2.1":                         "is not an IP address",
		"tls://192.0.2.1/dns-query":                     "is not an IP address or a host name; write an address and the name in the certificate, as in tls://192.0.2.1%dns.example",
		"tls://dns.example/x":                           "is not an IP address",
		"tls://192.0.2":                                 "is not an IP address",
		"tls://dns..example":                            "is not an IP address",
		"tls://dns example":                             "is not an IP address",
		"tls://b\u00fccher.example":                     "is not an IP address",
		"tls://dns.example%x":                           "is not an IP address",
		"https:///dns-query":                            "is not an IP address",
		"dns://dns.example":                             "is not an IP address",
		"https://192.0.2.256/x":                         "is not an IP address",
		"https://192.0.2.1/a b":                         "has a bad path; write it as in https://192.0.2.1%dns.example/path",
		"https://192.0.2.1/x#y":                         "has a bad path",
		"https://192.0.2.1/x%dns":                       "has a bad path; write it as in https://192.0.2.1%dns.example/path, with the name before it",
		"https://192.0.2.1/\u00fc":                      "has a bad path",
		"https://192.0.2.1/{dns}":                       "has a bad path",
		"https://192.0.2.1/" + strings.Repeat("x", 255): "has a bad path",
		"tls://192.0.2.1%":                              "has a bad name after the %; write the one in the server's certificate",
		"tls://192.0.2.1%:853":                          "has a bad name",
		"tls://192.0.2.1%dns/example":                   "has a bad name",
		"tls://192.0.2.1%dns.example:":                  "has a bad port",
		"tls://192.0.2.1%dns.example:x":                 "has a bad port",
		"tls://192.0.2.1:":                              "has a bad port",
		"tls://192.0.2.1:0":                             "has a bad port",
		"tls://fe80::1":                                 "is link-local and needs an interface",
		"tls://[2001:db8::1]x":                          "is not an IP address",
		"tls://":                                        "is not an IP address",
		"quic://0.0.0.0":                                "is the unspecified address",
	} {
		if got, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
}

// A host that is known by name alone.
func TestParseHost(t *testing.T) {
	for _, tc := range []struct {
		in, name  string
		port      uint16
		path      string
		transport Transport
		text      string
	}{
		{"tls://dns.example", "dns.example", 853, "", TLS, "tls://dns.example:853"},
		{"tls://DNS.Example.:1853", "dns.example", 1853, "", TLS, "tls://dns.example:1853"},
		{"quic://dns", "dns", 853, "", QUIC, "quic://dns:853"},
		{"https://dns.example", "dns.example", 443, "", HTTPS, "https://dns.example:443"},
		{"https://dns.example/dns-query", "dns.example", 443, "", HTTPS, "https://dns.example:443"},
		{"https://dns.example:8443/abc123{?dns}", "dns.example", 8443, "/abc123", HTTPS, "https://dns.example:8443/abc123"},
		{"https://4.example/x", "4.example", 443, "/x", HTTPS, "https://4.example:443/x"},
	} {
		got, err := Parse(tc.in)
		want := ID{Transport: tc.transport, Addr: netip.AddrPortFrom(netip.Addr{}, tc.port), Name: tc.name, Path: tc.path}
		if err != nil || got.ID != want || got.Written() != tc.text || !got.NeedsBootstrap() || !got.IsValid() {
			t.Errorf("%s: got %#v (%s), %v, want %#v", tc.in, got, got, err, want)
		}
		if again, err := Parse(got.Written()); err != nil || !again.Equal(got) {
			t.Errorf("%s is read back as %v, %v", got, again, err)
		}
	}
	for _, in := range []string{"192.0.2.1", "tls://192.0.2.1", "tls://192.0.2.1%dns.example"} {
		if got, err := Parse(in); err != nil || got.NeedsBootstrap() {
			t.Errorf("%s is to be looked up, %v", got, err)
		}
	}
}
