package resolvconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
)

func TestParseEncrypted(t *testing.T) {
	for _, tc := range []struct {
		in, addr, name string
		transport      Transport
		text           string
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
		{"tls://[fe80::1%eth0]", "[fe80::1%eth0]:853", "", TLS, "tls://[fe80::1%eth0]:853"},
		{"tls://[fe80::1%eth0]%dns.example", "[fe80::1%eth0]:853", "dns.example", TLS, "tls://[fe80::1%eth0]%dns.example:853"},
		{"https://192.0.2.1", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443"},
		{"https://192.0.2.1/dns-query", "192.0.2.1:443", "", HTTPS, "https://192.0.2.1:443"},
		{"https://192.0.2.1%dns.example:8443/dns-query", "192.0.2.1:8443", "dns.example", HTTPS, "https://192.0.2.1%dns.example:8443"},
		{"quic://192.0.2.1", "192.0.2.1:853", "", QUIC, "quic://192.0.2.1:853"},
	} {
		got, err := ParseServer(tc.in)
		want := Server{Transport: tc.transport, Addr: netip.MustParseAddrPort(tc.addr), Name: tc.name}
		if err != nil || got != want || got.String() != tc.text {
			t.Errorf("%s: got %#v (%s), %v, want %#v", tc.in, got, got, err, want)
		}
		if again, err := ParseServer(got.String()); err != nil || again != got {
			t.Errorf("%s is read back as %v, %v", got, again, err)
		}
	}
	for in, want := range map[string]string{
		"grpc://192.0.2.1":              "has a transport that is not spoken to upstreams; write dns, tls, https or quic",
		"TLS://192.0.2.1":               "has a transport that is not spoken",
		"://192.0.2.1":                  "has a transport that is not spoken",
		"tls://tls://192.0.2.1":         "is not an IP address",
		"tls://dns.example":             "is not an IP address",
		"https://dns.example/dns-query": "is not an IP address",
		"https://192.0.2.1/other":       "is not an IP address",
		"tls://192.0.2.1%":              "has a bad name after the %; write the one in the server's certificate",
		"tls://192.0.2.1%:853":          "has a bad name",
		"tls://192.0.2.1%dns/example":   "has a bad name",
		"tls://192.0.2.1%dns.example:":  "has a bad port",
		"tls://192.0.2.1%dns.example:x": "has a bad port",
		"tls://192.0.2.1:":              "has a bad port",
		"tls://192.0.2.1:0":             "has a bad port",
		"tls://fe80::1":                 "is link-local and has no zone",
		"tls://[2001:db8::1]x":          "is not an IP address",
		"tls://":                        "is not an IP address",
		"quic://0.0.0.0":                "is the unspecified address",
	} {
		if got, err := ParseServer(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, %v, want %s", in, got, err, want)
		}
	}
}

// plain reads addresses as netip writes them.
func plain(words ...string) (list []Server) {
	for _, w := range words {
		list = append(list, Plain(netip.MustParseAddrPort(w)))
	}
	return list
}

// same reports whether each warning starts with its line and has the text wanted.
func same(warnings []Warning, want []string) bool {
	return slices.EqualFunc(warnings, want, func(w Warning, want string) bool {
		line, text, _ := strings.Cut(want, ": ")
		return strings.HasPrefix(w.String(), line+": ") && strings.Contains(w.Text, text)
	})
}

func TestParseServer(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"192.0.2.1", "192.0.2.1:53"},
		{"[192.0.2.1]", "192.0.2.1:53"},
		{"192.0.2.3:5353", "192.0.2.3:5353"},
		{"[192.0.2.3]:5353", "192.0.2.3:5353"},
		{"192.0.2.4#5353", "192.0.2.4:5353"},
		{"192.0.2.4#1", "192.0.2.4:1"},
		{"192.0.2.4#65535", "192.0.2.4:65535"},
		{"169.254.0.1", "169.254.0.1:53"},
		{"127.0.0.53", "127.0.0.53:53"},
		{"::1", "[::1]:53"},
		{"2001:db8::1", "[2001:db8::1]:53"},
		{"2001:DB8:0::1", "[2001:db8::1]:53"},
		{"[2001:db8::1]", "[2001:db8::1]:53"},
		{"[2001:db8::1]:5353", "[2001:db8::1]:5353"},
		{"2001:db8::1#5353", "[2001:db8::1]:5353"},
		{"2001:db8::1%eth0", "[2001:db8::1%eth0]:53"},
		{"fe80::1%eth0", "[fe80::1%eth0]:53"},
		{"fe80::1%2", "[fe80::1%2]:53"},
		{"[fe80::1%eth0]", "[fe80::1%eth0]:53"},
		{"[fe80::1%eth0]:54", "[fe80::1%eth0]:54"},
		{"fe80::1%eth0#54", "[fe80::1%eth0]:54"},
		{"fe80::1%eth0.10", "[fe80::1%eth0.10]:53"},
		{"::ffff:192.0.2.1", "192.0.2.1:53"},
		{"[::ffff:192.0.2.1]:54", "192.0.2.1:54"},
		{"::ffff:169.254.0.1", "169.254.0.1:53"},
		{"fe80::1%" + strings.Repeat("z", maxZone), "[fe80::1%" + strings.Repeat("z", maxZone) + "]:53"},
	} {
		got, err := ParseServer(tc.in)
		if err != nil || got != Plain(netip.MustParseAddrPort(tc.want)) {
			t.Errorf("%q is %v, %v, want %v", tc.in, got, err, tc.want)
		}
	}
}

func TestParseServerErrors(t *testing.T) {
	const (
		notIP       = "is not an IP address; write an address such as 192.0.2.1"
		badPort     = "bad port; write a number from 1 to 65535"
		badZone     = "bad zone; write the name or number of an interface"
		zoneOnIPv4  = "has a zone, which IPv4 does not know; write 192.0.2.1"
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
		"192.0.2.1#comment":      badPort,
		"192.0.2.1#53#54":        badPort,
		"[2001:db8::1]:":         badPort,
		"[2001:db8::1]:0":        badPort,
		"2001:db8::1#4294967349": badPort,

		"192.0.2.1%eth0":        zoneOnIPv4,
		"192.0.2.1%":            zoneOnIPv4,
		"192.0.2.1%eth0:53":     zoneOnIPv4,
		"::ffff:192.0.2.1%eth0": zoneOnIPv4,

		"fe80::1%":         badZone,
		"fe80::1%#53":      badZone,
		"2001:db8::1%":     badZone,
		"fe80::1%eth0:53":  badZone,
		"fe80::1%eth0;x":   badZone,
		"fe80::1%eth0/64":  badZone,
		"fe80::1%a%b":      badZone,
		"[fe80::1%a]]":     badZone,
		"[fe80::1%[a]:53":  badZone,
		"fe80::1%a b":      badZone,
		"fe80::1%a\tb":     badZone,
		"fe80::1%a\u00a0b": badZone,
		"fe80::1%\x00":     badZone,
		"fe80::1%\xff":     badZone,
		"fe80::1%" + strings.Repeat("z", maxZone+1): badZone,

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

		"fe80::1":         "is link-local and has no zone; write the interface after it, as in fe80::1%eth0",
		"[fe80::2]:53":    "as in fe80::2%eth0",
		"febf::1#53":      "as in febf::1%eth0",
		"\u202e192.0.2.1": `"\u202e192.0.2.1"`,
	} {
		got, err := ParseServer(in)
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
		{"192.0.2.1#" + strings.Repeat("9", 1000), `"192.0.2.1#` + strings.Repeat("9", 54) + `"... has a bad port`},
	} {
		_, err := ParseServer(tc.in)
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("error for %.70q is %v, want it to start with %s", tc.in, err, tc.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		what, in string
		servers  []Server
		warnings []string // as "line N: a part of the text"
	}{
		{what: "nothing"},
		{what: "blank lines", in: "\n \t\n\r\n"},
		{what: "no newline at the end", in: "nameserver 192.0.2.1\nnameserver 192.0.2.2", servers: plain("192.0.2.1:53", "192.0.2.2:53")},
		{what: "white space", in: " \t nameserver \t 192.0.2.1\t \n", servers: plain("192.0.2.1:53")},
		{what: "white space is only blank and tab", in: "\vnameserver 192.0.2.1\nnameserver\u00a0192.0.2.2\nnameserver\f192.0.2.3\n"},
		{what: "line ends", in: "nameserver 192.0.2.1\r\nnameserver fe80::1%a\r\nnameserver 192.0.2.3\r", servers: plain("192.0.2.1:53", "[fe80::1%a]:53", "192.0.2.3:53")},
		{what: "a return is no line end", in: "nameserver 192.0.2.1\rnameserver 192.0.2.2\n", warnings: []string{`line 1: "192.0.2.1\rnameserver" is not an IP address`}},
		{what: "byte order mark", in: "\uFEFFnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53")},
		{what: "byte order mark elsewhere", in: "\n\uFEFFnameserver 192.0.2.1\n"},
		{what: "two byte order marks", in: "\uFEFF\uFEFFnameserver 192.0.2.1\n"},
		{what: "comment lines", in: "#nameserver 192.0.2.1\n ; nameserver 192.0.2.2\n\t# nameserver 192.0.2.3\n"},
		{what: "comments after the address", in: "nameserver 192.0.2.1 # a 192.0.2.9\nnameserver 192.0.2.2\t;b\nnameserver 192.0.2.3 #54\n", servers: plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")},
		{what: "a comment is a word of its own", in: "nameserver 192.0.2.1;x\nnameserver 192.0.2.2#5353\nnameserver 192.0.2.3# c\n", servers: plain("192.0.2.2:5353"), warnings: []string{`line 1: "192.0.2.1;x" is not an IP address`, `line 3: "192.0.2.3#" has a bad port`}},
		{what: "no address", in: "nameserver\nnameserver \t\nnameserver # c\nnameserver ;\n", warnings: []string{`line 1: "nameserver" has no address after it; write an address`, "line 2: no address", "line 3: no address", "line 4: no address"}},
		{what: "two addresses", in: "nameserver 192.0.2.1 192.0.2.2\nnameserver 192.0.2.3 x # c\n", servers: plain("192.0.2.1:53", "192.0.2.3:53"), warnings: []string{`line 1: "192.0.2.2" after the address is not used`, `line 2: "x" after the address`}},
		{what: "one warning for a line", in: "nameserver x 192.0.2.2\n", warnings: []string{`line 1: "x" is not an IP address`}},
		{what: "other keywords", in: "search a.example\ndomain 192.0.2.1\noptions ndots:5\nsortlist 192.0.2.0\nNameserver 192.0.2.2\nnameservers 192.0.2.3\nnameserver: 192.0.2.4\nnameserver#192.0.2.5\nserver nameserver 192.0.2.6\n"},
		{what: "order and duplicates", in: "nameserver 192.0.2.2\nnameserver 192.0.2.1\nnameserver 192.0.2.2#53\nnameserver ::ffff:192.0.2.1\nnameserver 192.0.2.2:54\nnameserver fe80::1%a\nnameserver fe80::1%b\nnameserver FE80:0::1%a\n", servers: plain("192.0.2.2:53", "192.0.2.1:53", "192.0.2.2:54", "[fe80::1%a]:53", "[fe80::1%b]:53")},
		{what: "a duplicate still warns", in: "nameserver 192.0.2.1\nnameserver 192.0.2.1 x\n", servers: plain("192.0.2.1:53"), warnings: []string{"line 2: not used"}},
		{what: "more than three", in: "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\n", servers: plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53", "192.0.2.4:53", "192.0.2.5:53")},
		{what: "on after a bad line", in: "nameserver 192.0.2\nnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53"), warnings: []string{`line 1: "192.0.2" is not an IP address`}},
		{what: "NUL", in: "nameserver\x00 192.0.2.1\nnameserver 192.0.2.2\x00\n\x00\n", warnings: []string{`line 2: "192.0.2.2\x00" is not an IP address`}},
	} {
		for how, r := range map[string]io.Reader{
			"at once":      strings.NewReader(tc.in),
			"in bytes":     iotest.OneByteReader(strings.NewReader(tc.in)),
			"data and EOF": iotest.DataErrReader(strings.NewReader(tc.in)),
		} {
			servers, warnings, err := Parse(r)
			if err != nil || !slices.Equal(servers, tc.servers) {
				t.Errorf("%s, read %s: servers %v, %v, want %v", tc.what, how, servers, err, tc.servers)
			}
			if !same(warnings, tc.warnings) {
				t.Errorf("%s, read %s: warnings %q, want %q", tc.what, how, warnings, tc.warnings)
			}
		}
	}
}

func TestWarningString(t *testing.T) {
	if got := (Warning{3, "so it is"}).String(); got != "line 3: so it is" {
		t.Errorf("got %q", got)
	}
}

func TestFiles(t *testing.T) {
	want := map[string]struct {
		servers  []Server
		warnings []string
	}{
		"networkmanager.conf": {servers: plain("192.0.2.1:53", "[2001:db8::1]:53", "198.51.100.7:53", "[fe80::1%enp2s0]:53")},
		"resolved.conf":       {servers: plain("192.0.2.53:53", "[2001:db8::53]:53", "[fe80::53%2]:53", "192.0.2.54:53")},
		"resolved-stub.conf":  {servers: plain("127.0.0.53:53")},
		"openresolv.conf":     {servers: plain("203.0.113.1:53", "192.0.2.1:53")},
		"dhclient.conf":       {servers: plain("192.0.2.1:53")},
		"crlf-bom.conf":       {servers: plain("192.0.2.1:53", "[fe80::1%eth0]:53", "192.0.2.4:5353")},
		"junk.conf": {
			servers: plain("192.0.2.9:53"),
			warnings: []string{
				`line 3: "<html>" is not an IP address`,
				`line 6: "192.0.2.2\x00" is not an IP address`,
				`line 8: "\xff\xfe\x1b[31m" is not an IP address`,
				`line 9: "fe80::1%\xff" has a bad zone`,
				`line 11: no address`,
			},
		},
	}
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) != len(want) {
		t.Errorf("files are %q, %v, want %d of them", files, err, len(want))
	}
	for name, w := range want {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Error(err)
			continue
		}
		servers, warnings, err := Parse(bytes.NewReader(b))
		if err != nil || !slices.Equal(servers, w.servers) {
			t.Errorf("%s: servers %v, %v, want %v", name, servers, err, w.servers)
		}
		if !same(warnings, w.warnings) {
			t.Errorf("%s: warnings %q, want %q", name, warnings, w.warnings)
		}
		if name == "crlf-bom.conf" && (!bytes.HasPrefix(b, []byte(byteOrderMark)) || bytes.Count(b, []byte("\r\n")) != bytes.Count(b, []byte("\n"))) {
			t.Errorf("%s has lost its byte order mark or its line ends", name)
		}
	}
}

func TestLongLine(t *testing.T) {
	// line is n bytes that name a server, if they are not too many.
	line := func(n int) string {
		const s = "nameserver 192.0.2.1"
		return s + strings.Repeat(" ", n-len(s))
	}
	after := "\nnameserver x\nnameserver 192.0.2.2"
	for _, tc := range []struct {
		what, in string
		servers  []Server
		warnings []string
	}{
		{"the longest", line(maxLine) + after, plain("192.0.2.1:53", "192.0.2.2:53"), []string{`line 2: "x"`}},
		{"the longest at the end", line(maxLine), plain("192.0.2.1:53"), nil},
		{"one byte more", line(maxLine+1) + after, plain("192.0.2.2:53"), []string{"line 1: longer than 65536 bytes", `line 2: "x"`}},
		{"one byte more at the end", line(maxLine + 1), nil, []string{"line 1: longer than"}},
		{"twice the buffer", line(2*maxLine+2) + after, plain("192.0.2.2:53"), []string{"line 1: longer than", `line 2: "x"`}},
		{"the rest is no line", "#" + line(maxLine)[1:] + " nameserver 192.0.2.9" + after, plain("192.0.2.2:53"), []string{"line 1: longer than", `line 2: "x"`}},
		{"two of them", line(maxLine+1) + "\n" + line(3*maxLine) + after, plain("192.0.2.2:53"), []string{"line 1: longer than", "line 2: longer than", `line 3: "x"`}},
	} {
		servers, warnings, err := Parse(strings.NewReader(tc.in))
		if err != nil || !slices.Equal(servers, tc.servers) || !same(warnings, tc.warnings) {
			t.Errorf("%s: %v, %q, %v, want %v, %q", tc.what, servers, warnings, err, tc.servers, tc.warnings)
		}
	}
}

// endless is a line without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

func TestLongLineMemory(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, warnings, err := Parse(io.LimitReader(endless{}, 32<<20))
	runtime.ReadMemStats(&after)
	if err != nil || len(warnings) != 1 {
		t.Errorf("warnings %q, %v", warnings, err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("a line of 32 MiB took %d bytes of memory", n)
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	for what, in := range map[string]string{
		"at once":        "",
		"after a line":   "nameserver x\nnameserver 192.0.2.1\n",
		"within a line":  "nameserver 192.0.2.1\nnameserver 192.0.2.1",
		"in a long line": strings.Repeat("x", 3*maxLine),
	} {
		// The error comes once only: what is read after it must not count.
		r := io.MultiReader(strings.NewReader(in), &once{broken})
		servers, warnings, err := Parse(r)
		if !errors.Is(err, broken) || servers != nil || warnings != nil {
			t.Errorf("%s: %v, %q, %v, want only the error", what, servers, warnings, err)
		}
	}
	if _, _, err := Parse(iotest.ErrReader(io.ErrUnexpectedEOF)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error is %v, want %v", err, io.ErrUnexpectedEOF)
	}
}

// once is a reader that fails once and then is at its end.
type once struct{ err error }

func (r *once) Read([]byte) (int, error) {
	err := r.err
	r.err = io.EOF
	return 0, err
}

func TestManyWarnings(t *testing.T) {
	for _, tc := range []struct {
		lines, warnings int
		last            string
	}{
		{maxWarnings, maxWarnings, `line 20: "x" is not`},
		{maxWarnings + 1, maxWarnings + 1, "line 22: ... and 1 more"},
		{1000, maxWarnings + 1, "line 22: ... and 980 more"},
	} {
		// A blank line before the 21st warning tells its line from its number.
		in := strings.Repeat("nameserver x\n", maxWarnings) + "\n" + strings.Repeat("nameserver y\n", tc.lines-maxWarnings) + "nameserver 192.0.2.1\n"
		servers, warnings, err := Parse(strings.NewReader(in))
		if err != nil || !slices.Equal(servers, plain("192.0.2.1:53")) {
			t.Errorf("%d bad lines: servers %v, %v", tc.lines, servers, err)
		}
		if len(warnings) != tc.warnings || !same(warnings[len(warnings)-1:], []string{tc.last}) {
			t.Errorf("%d bad lines: %d warnings %q, want %d and the last %q", tc.lines, len(warnings), warnings, tc.warnings, tc.last)
		}
	}
}

// FuzzParse checks that no file makes the parser panic, that what it returns is
// usable, and that the servers, written as a file, are read back unchanged. Its
// seeds are in testdata/fuzz.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		servers, warnings, err := Parse(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		checkWarnings(t, warnings)
		var file strings.Builder
		seen := make(map[Server]bool)
		for _, s := range servers {
			if !s.Addr.IsValid() || s.Addr.Port() == 0 || seen[s] {
				t.Errorf("server %v is invalid or not the only one", s)
			}
			seen[s] = true
			fmt.Fprintf(&file, "nameserver %s\n", s)
		}
		again, warnings, err := Parse(strings.NewReader(file.String()))
		if err != nil || len(warnings) > 0 || !slices.Equal(again, servers) {
			t.Errorf("%q is read back as %v, %q, %v", file.String(), again, warnings, err)
		}
	})
}

// checkWarnings checks that warnings are in the order of lines and fit for a log.
func checkWarnings(t *testing.T, warnings []Warning) {
	t.Helper()
	if len(warnings) > maxWarnings+1 {
		t.Errorf("%d warnings", len(warnings))
	}
	line := 0
	for _, w := range warnings {
		if w.Line <= line {
			t.Errorf("warning %q is out of order", w)
		}
		line = w.Line
		if len(w.Text) > 512 || strings.ContainsFunc(w.Text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("warning %q is not fit for a log", w)
		}
	}
}
