package source

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

	"github.com/dnsmus/dnsmus/plugin/server"
)

// plain reads addresses as netip writes them.
func plain(words ...string) (list []server.Server) {
	for _, w := range words {
		list = append(list, server.Plain(netip.MustParseAddrPort(w)))
	}
	return list
}

func equal(a, b []server.Server) bool { return slices.EqualFunc(a, b, server.Server.Equal) }

// same reports whether each warning starts with its line and has the text wanted.
func same(warnings []Warning, want []string) bool {
	return slices.EqualFunc(warnings, want, func(w Warning, want string) bool {
		line, text, _ := strings.Cut(want, ": ")
		return strings.HasPrefix(w.String(), line+": ") && strings.Contains(w.Text, text)
	})
}

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		what, in string
		servers  []server.Server
		others   []string // servers as they are written, after those
		warnings []string // as "line N: a part of the text"
	}{
		{what: "nothing"},
		{what: "blank lines", in: "\n \t\n\r\n"},
		{what: "no newline at the end", in: "nameserver 192.0.2.1\nnameserver 192.0.2.2", servers: plain("192.0.2.1:53", "192.0.2.2:53")},
		{what: "white space", in: " \t nameserver \t 192.0.2.1\t \n", servers: plain("192.0.2.1:53")},
		{what: "white space that is none to others", in: "\vnameserver 192.0.2.1\nnameserver\u00a0192.0.2.2\nnameserver\f192.0.2.3\n\u3000nameserver \u200b192.0.2.4\u202c\n", servers: plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53", "192.0.2.4:53")},
		{what: "line ends", in: "nameserver 192.0.2.1\r\nnameserver fe80::1%a\r\nnameserver 192.0.2.3\r", servers: plain("192.0.2.1:53", "[fe80::1%a]:53", "192.0.2.3:53")},
		{what: "a return alone is white space", in: "nameserver 192.0.2.1\rnameserver x\rnameserver 192.0.2.2\nnameserver y\n", servers: plain("192.0.2.1:53"), warnings: []string{`line 1: "nameserver" after the address is ignored`, `line 2: "y" is not`}},
		{what: "byte order mark", in: "\uFEFFnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53")},
		{what: "byte order mark elsewhere", in: "\n\uFEFFnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53")},
		{what: "two byte order marks", in: "\uFEFF\uFEFFnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53")},
		{what: "comment lines", in: "#nameserver 192.0.2.1\n ; nameserver 192.0.2.2\n\t# nameserver 192.0.2.3\n"},
		{what: "comments after the address", in: "nameserver 192.0.2.1 # a 192.0.2.9\nnameserver 192.0.2.2\t;b\nnameserver 192.0.2.3 #54\n", servers: plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53")},
		{what: "a comment is a word of its own", in: "nameserver 192.0.2.1;x\nnameserver 192.0.2.2#5353\nnameserver 192.0.2.3# c\n", servers: plain("192.0.2.2:5353"), warnings: []string{`line 1: "192.0.2.1;x" is not an IP address`, `line 3: "192.0.2.3#" has a bad port`}},
		{what: "no address", in: "nameserver\nnameserver \t\nnameserver # c\nnameserver ;\n", warnings: []string{`line 1: "nameserver" has no address after it; write an address`, "line 2: no address", "line 3: no address", "line 4: no address"}},
		{what: "two addresses", in: "nameserver 192.0.2.1 192.0.2.2\nnameserver 192.0.2.3 x # c\n", servers: plain("192.0.2.1:53", "192.0.2.3:53"), warnings: []string{`line 1: "192.0.2.2" after the address is ignored`, `line 2: "x" after the address`}},
		{what: "one warning for a line", in: "nameserver x 192.0.2.2\n", warnings: []string{`line 1: "x" is not an IP address`}},
		{what: "other keywords", in: "search a.example\ndomain 192.0.2.1\noptions ndots:5\nsortlist 192.0.2.0\nlookup file bind\nSEARCH 192.0.2.1\nnonsense\nport 54\n; server 192.0.2.1\n"},
		{what: "a port, as on macOS", in: "nameserver 192.0.2.1\nport 5300\n", servers: plain("192.0.2.1:5300")},
		{what: "a port of all", in: "nameserver 192.0.2.1\nPORT\t5300 # c\nnameserver dns://192.0.2.3\nnameserver [2001:db8::1]\nnameserver fe80::1%a\nnameserver 192.0.2.2%a\n", servers: plain("192.0.2.1:5300", "192.0.2.3:5300", "[2001:db8::1]:5300", "[fe80::1%a]:5300"), others: []string{"192.0.2.2%a:5300"}},
		{what: "a port above", in: "port 5300\nnameserver 192.0.2.1\n", servers: plain("192.0.2.1:5300")},
		{what: "a port, and others of their own", in: "nameserver 192.0.2.1:53\nnameserver 192.0.2.2#54\nnameserver [2001:db8::1]:55\nnameserver 192.0.2.3\nport 5300\n", servers: plain("192.0.2.1:53", "192.0.2.2:54", "[2001:db8::1]:55", "192.0.2.3:5300")},
		{what: "a port is not that of TLS", in: "nameserver tls://192.0.2.1\nport 5300\n", others: []string{"tls://192.0.2.1:853"}},
		{what: "two ports", in: "nameserver 192.0.2.1\nport 5300\nport 5301\n", servers: plain("192.0.2.1:5301"), warnings: []string{"line 3: port 5301 is that of all servers in the file, instead of 5300"}},
		{what: "the same port twice", in: "nameserver 192.0.2.1\nport 5300\nnameserver 192.0.2.2\nport 5300\n", servers: plain("192.0.2.1:5300", "192.0.2.2:5300")},
		{what: "a port makes duplicates", in: "nameserver 192.0.2.1\nnameserver 192.0.2.1:5300\nport 5300\n", servers: plain("192.0.2.1:5300")},
		{what: "bad ports", in: "nameserver 192.0.2.1\nport\nport x\nport 0\nport 65536\nport 5300 5301\nport : 5300\nport: 5300\nport=5300\nports 5300\n", servers: plain("192.0.2.1:53"),
			warnings: []string{`line 2: "port" is not a port; write a line as in 'port 5300', or the port after the address`, `line 3: "port x" is not a port`, "line 4: not a port", "line 5: not a port", "line 6: not a port", `line 7: "port : 5300" is not a port`, "line 8: not a port", "line 9: not a port"}},
		{what: "the keyword in capitals", in: "NAMESERVER 192.0.2.1\nNameserver\t192.0.2.2\nNAMESERVER\n", servers: plain("192.0.2.1:53", "192.0.2.2:53"), warnings: []string{"line 3: no address"}},
		{what: "an address that begins with colons", in: "nameserver ::1\n", servers: plain("[::1]:53")},
		{what: "the keyword with more", in: "nameserver=192.0.2.1\nnameserver: 192.0.2.2\nnameserver = 192.0.2.3\nnameserver : 192.0.2.4\nnameserver =192.0.2.5\nnameserver:192.0.2.6:54 # c\nnameserver:::7\nnameserver:\nnameserver[0] :\nnameserver 192.0.2.9\n", servers: plain("192.0.2.9:53"),
			warnings: []string{`line 1: "nameserver=192.0.2.1" is not the keyword nameserver; write a line as in 'nameserver 192.0.2.1'`, `line 2: "nameserver:" is not the keyword`, `line 3: "=" is not an IP address`, `line 4: ":" is not an IP address`, `line 5: "=192.0.2.5" is not an IP address`, "line 6: is not the keyword", "line 7: is not the keyword", "line 8: is not the keyword", `line 9: "nameserver[0]" is not the keyword`}},
		{what: "as scutil prints it", in: "resolver #1\n  search domain[0] : corp.example\n  nameserver[0] : 192.0.2.1\n  nameserver[1] : fe80::1%en0\n  if_index : 6 (en0)\n  flags    : Request A records\n  reach    : 0x00020002 (Reachable,Directly Reachable Address)\n", warnings: []string{"line 3: is not the keyword", "line 4: is not the keyword"}},
		{what: "almost the keyword", in: "nameservers 192.0.2.1\nameserver 192.0.2.2\nnameserver192.0.2.3\nnmaeserver 192.0.2.4\nnameserver#192.0.2.5\nn\x00a\x00m\x00e\x00server 192.0.2.6\nname-server x\nnameserver[ 192.0.2.7\nnameserver\xa0192.0.2.8\nnameserver 192.0.2.9\n", servers: plain("192.0.2.9:53"),
			warnings: []string{`line 1: "nameservers" is not the keyword nameserver; write a line as in 'nameserver 192.0.2.1'`, `line 2: "ameserver" is not the keyword`, "line 3: is not the keyword", "line 4: is not the keyword", "line 5: is not the keyword", "line 6: is not the keyword", "line 7: is not the keyword", "line 8: is not the keyword", `line 9: "nameserver\xa0192.0.2.8" is not the keyword`}},
		{what: "an address without the keyword", in: "server 192.0.2.1\n192.0.2.2\nDNS=192.0.2.3 192.0.2.4\n// nameserver 192.0.2.5\nserver=192.0.2.6\ndns:192.0.2.7\nserver nameserver 2001:db8::1\nnameserver 192.0.2.9\n", servers: plain("192.0.2.9:53"),
			warnings: []string{`line 1: "192.0.2.1" has no keyword nameserver before it; write a line as in 'nameserver 192.0.2.1'`, `line 2: "192.0.2.2" has no`, `line 3: "192.0.2.3" has no`, "line 4: no keyword", "line 5: no keyword", `line 6: "192.0.2.7" has no keyword`, `line 7: "2001:db8::1" has no`}},
		{what: "order and duplicates", in: "nameserver 192.0.2.2\nnameserver 192.0.2.1\nnameserver 192.0.2.2#53\nnameserver ::ffff:192.0.2.1\nnameserver 192.0.2.2:54\nnameserver fe80::1%a\nnameserver fe80::1%b\nnameserver FE80:0::1%a\n", servers: plain("192.0.2.2:53", "192.0.2.1:53", "192.0.2.2:54", "[fe80::1%a]:53", "[fe80::1%b]:53")},
		{what: "a duplicate still warns", in: "nameserver 192.0.2.1\nnameserver 192.0.2.1 x\n", servers: plain("192.0.2.1:53"), warnings: []string{"line 2: ignored"}},
		{what: "more than three", in: "nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver 192.0.2.4\nnameserver 192.0.2.5\n", servers: plain("192.0.2.1:53", "192.0.2.2:53", "192.0.2.3:53", "192.0.2.4:53", "192.0.2.5:53")},
		{what: "on after a bad line", in: "nameserver 192.0.2\nnameserver 192.0.2.1\n", servers: plain("192.0.2.1:53"), warnings: []string{`line 1: "192.0.2" is not an IP address`}},
		{what: "NUL", in: "nameserver\x00 192.0.2.1\nnameserver 192.0.2.2\x00\n\x00\n", warnings: []string{"line 1: is not the keyword nameserver", `line 2: "192.0.2.2\x00" is not an IP address`}},
	} {
		for how, r := range map[string]io.Reader{
			"at once":      strings.NewReader(tc.in),
			"in bytes":     iotest.OneByteReader(strings.NewReader(tc.in)),
			"data and EOF": iotest.DataErrReader(strings.NewReader(tc.in)),
		} {
			servers, warnings, err := Parse(r)
			if want := append(slices.Clip(tc.servers), parsed(t, tc.others...)...); err != nil || !equal(servers, want) {
				t.Errorf("%s, read %s: servers %v, %v, want %v", tc.what, how, servers, err, want)
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
		servers  []server.Server
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
				"line 2: is not the keyword nameserver",
				`line 3: "<html>" is not an IP address`,
				"line 4: is not the keyword nameserver",
				"line 5: is not the keyword nameserver",
				`line 6: "192.0.2.2\x00" is not an IP address`,
				`line 7: "192.0.2.3" has no keyword nameserver`,
				`line 8: "\xff\xfe\x1b[31m" is not an IP address`,
				`line 9: "fe80::1%\xff" has a bad interface`,
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
		if err != nil || !equal(servers, w.servers) {
			t.Errorf("%s: servers %v, %v, want %v", name, servers, err, w.servers)
		}
		if !same(warnings, w.warnings) {
			t.Errorf("%s: warnings %q, want %q", name, warnings, w.warnings)
		}
		if name == "crlf-bom.conf" && (!bytes.HasPrefix(b, []byte("\uFEFF")) || bytes.Count(b, []byte("\r\n")) != bytes.Count(b, []byte("\n"))) {
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
		servers  []server.Server
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
		if err != nil || !equal(servers, tc.servers) || !same(warnings, tc.warnings) {
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
		if err != nil || !equal(servers, plain("192.0.2.1:53")) {
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
		seen := make(map[server.ID]bool)
		for _, s := range servers {
			if !s.IsValid() || s.Addr.IsValid() == s.NeedsBootstrap() || s.Addr.Port() == 0 || seen[s.ID] {
				t.Errorf("server %v is invalid or not the only one", s)
			}
			seen[s.ID] = true
			fmt.Fprintf(&file, "nameserver %s\n", s)
		}
		again, warnings, err := Parse(strings.NewReader(file.String()))
		if err != nil || len(warnings) > 0 || !equal(again, servers) {
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
