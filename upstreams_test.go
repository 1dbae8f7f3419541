package dnsmus

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// servers reads servers as they are written in a stanza.
func servers(words ...string) (list []server.Server) {
	for _, w := range words {
		s, err := server.Parse(w)
		if err != nil {
			panic(err)
		}
		list = append(list, s)
	}
	return list
}

func equal(a, b []server.Server) bool { return slices.EqualFunc(a, b, server.Server.Equal) }

func TestUpstreams(t *testing.T) {
	dir := writeFiles(t,
		"a.conf", "search example\nnameserver 192.0.2.11\nnameserver 192.0.2.12\n",
		"b.conf", "nameserver 192.0.2.12\nnameserver 2001:db8::12\nnameserver 192.0.2.1\n",
		"192.0.2.9", "nameserver 192.0.2.99\n",
	)
	t.Chdir(dir)
	for to, want := range map[string][]server.Server{
		"192.0.2.1":                              servers("192.0.2.1:53"),
		"192.0.2.1:5353":                         servers("192.0.2.1:5353"),
		"2001:db8::1":                            servers("[2001:db8::1]:53"),
		"[2001:db8::1]":                          servers("[2001:db8::1]:53"),
		"[2001:db8::1]:5353":                     servers("[2001:db8::1]:5353"),
		"fe80::1%eth0":                           servers("[fe80::1%eth0]:53"),
		"dns://192.0.2.1":                        servers("192.0.2.1:53"),
		"dns://192.0.2.1:5353":                   servers("192.0.2.1:5353"),
		"dns://[2001:db8::1]:5353":               servers("[2001:db8::1]:5353"),
		"192.0.2.2 192.0.2.1":                    servers("192.0.2.2:53", "192.0.2.1:53"),
		"192.0.2.1 192.0.2.1:53":                 servers("192.0.2.1:53"),
		"192.0.2.1 ::ffff:192.0.2.1":             servers("192.0.2.1:53"),
		"192.0.2.1 192.0.2.1:5353":               servers("192.0.2.1:53", "192.0.2.1:5353"),
		"tls://192.0.2.1":                        servers("tls://192.0.2.1:853"),
		"tls://192.0.2.1%dns.example":            servers("tls://192.0.2.1%dns.example:853"),
		"https://192.0.2.1 quic://[2001:db8::1]": servers("https://192.0.2.1:443", "quic://[2001:db8::1]:853"),
		"192.0.2.1 tls://192.0.2.1:53":           servers("192.0.2.1:53", "tls://192.0.2.1:53"),
		"https://192.0.2.1%dns.example/abc123":   servers("https://192.0.2.1%dns.example:443/abc123"),
		"192.0.2.1 https://dns.example/abc123":   servers("192.0.2.1:53", "https://dns.example:443/abc123"),
		"tls://dns.example tls://192.0.2.1":      servers("tls://dns.example:853", "tls://192.0.2.1:853"),
		"192.0.2.1 {\n}":                         servers("192.0.2.1:53"),
		"a.conf":                                 servers("192.0.2.11:53", "192.0.2.12:53"),
		"./a.conf":                               servers("192.0.2.11:53", "192.0.2.12:53"),
		filepath.Join(dir, "a.conf"):             servers("192.0.2.11:53", "192.0.2.12:53"),
		"a.conf b.conf":                          servers("192.0.2.11:53", "192.0.2.12:53", "[2001:db8::12]:53", "192.0.2.1:53"),
		"b.conf a.conf":                          servers("192.0.2.12:53", "[2001:db8::12]:53", "192.0.2.1:53", "192.0.2.11:53"),
		"192.0.2.1 a.conf b.conf":                servers("192.0.2.1:53", "192.0.2.11:53", "192.0.2.12:53", "[2001:db8::12]:53"),
		"a.conf 192.0.2.1 192.0.2.12 ":           servers("192.0.2.11:53", "192.0.2.12:53", "192.0.2.1:53"),
		"192.0.2.9 ./192.0.2.9":                  servers("192.0.2.9:53", "192.0.2.99:53"), // an address is one, whatever the files
		"\"192.0.2.1#5353\" # a.conf\n":          servers("192.0.2.1:5353"),
	} {
		cfg, err := parseText("dnsmus " + to)
		if err != nil || !equal(cfg.Upstreams, want) {
			t.Errorf("dnsmus %s: upstreams %v, %v, want %v", to, cfg.Upstreams, err, want)
		}
	}
}

// A stanza without upstreams is one with the default file, whether that exists or not.
func TestDefaultFile(t *testing.T) {
	file := source.DefaultFile()
	for _, block := range []string{"", " {\n timeout 1s\n}"} {
		cfg, err := parseText("dnsmus" + block)
		want, wantErr := parseText("dnsmus " + file + block)
		if !reflect.DeepEqual(cfg.Config, want.Config) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Errorf("dnsmus%s: %+v, %v, want that of %s: %+v, %v", block, cfg.Config, err, file, want.Config, wantErr)
		}
		if err != nil && !strings.Contains(err.Error(), file) {
			t.Errorf("dnsmus%s: %v, want it to name %s", block, err, file)
		}
	}
}

func TestUpstreamErrors(t *testing.T) {
	const notFile = "; there is no file of that name either"
	dir := writeFiles(t,
		"empty.conf", "",
		"none.conf", "# nameserver 192.0.2.1\nsearch example\n",
		"junk.conf", "search example\nnameserver 192.0.2\nnameserver :::\n",
		"good.conf", "nameserver 192.0.2.1\n",
		"host.conf", "nameserver tls://dns.example\n",
	)
	if err := os.Symlink("loop.conf", filepath.Join(dir, "loop.conf")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, tc := range []struct {
		to    string
		words []string
	}{
		{"grpc://192.0.2.1", []string{`"grpc://192.0.2.1" has an unknown transport`}},
		{"192.0.2.1 unix:///run/dns.sock", []string{`"unix:///run/dns.sock" has an unknown transport`}},
		{"https3://192.0.2.1", []string{`"https3://192.0.2.1" has an unknown transport`}},
		{"dns://tls://192.0.2.1", []string{`"dns://tls://192.0.2.1" is not an IP address`}},
		{"https://dns.example/dns-query", []string{`"https://dns.example/dns-query" is a name`}},
		{"tls://dns.google", []string{`"tls://dns.google" is a name, and no upstream has an IP address`, "as in tls://ADDR%dns.google"}},
		{"tls://dns.google https://dns.example", []string{`"tls://dns.google" is a name`}},
		{"host.conf", []string{"tls://dns.example:853 is a name, and no upstream", "as in tls://ADDR%dns.example"}},
		{"192.0.2.1 https://192.0.2.2/a%dns.example", []string{"has a bad path", "https://192.0.2.1%dns.example/path"}},
		{"tls://192.0.2.1%", []string{"has a bad name after the %"}},
		{"dns://dns.example", []string{`"dns://dns.example" is not an IP address`}},

		{"dns.example", []string{`"dns.example" `, notFile, "write an address such as"}},
		{"dns.example:53", []string{`"dns.example:53" `, notFile}},
		{"192.0.2", []string{`"192.0.2" `, notFile}},
		{"192.0.2.1 192.0.2.2:0", []string{`"192.0.2.2:0" `, notFile, "bad port"}},
		{"fe80::1", []string{`"fe80::1" `, notFile, "needs an interface"}},
		{"0.0.0.0", []string{`"0.0.0.0" `, notFile, "unspecified"}},
		{`""`, []string{`"" `, notFile}},

		{"empty.conf", []string{"empty.conf has no usable nameserver line; add one"}},
		{"none.conf", []string{"none.conf has no usable nameserver line; add one"}},
		{"junk.conf", []string{"junk.conf has no usable nameserver line", `(line 2: "192.0.2" is not an IP address`}},
		{"none.conf empty.conf", []string{"none.conf has no usable nameserver line"}},
		{"./missing.conf", []string{"cannot read upstreams", "./missing.conf", "create it", "or name upstreams: in a Corefile 'dnsmus 192.0.2.1', or 'dnsmus links'", "'dnsmus 5553 192.0.2.1'"}},
		{dir + "/missing.conf", []string{"cannot read upstreams", dir + "/missing.conf"}},
		{dir, []string{"cannot read upstreams", dir + " is a directory"}},
		{os.DevNull, []string{"cannot read upstreams", os.DevNull + " is not a regular file"}},

		// As in forward, or in other lists of addresses.
		{". 8.8.8.8", []string{"'.' is not an upstream; leave it out", "unlike forward, dnsmus takes no zone before the upstreams"}},
		{".", []string{"'.' is not an upstream"}},
		{"example.org 8.8.8.8", []string{`"example.org" `, notFile, "if it is a zone, leave it out"}},
		{"example.org. 8.8.8.8", []string{`"example.org." `, notFile, "if it is a zone, leave it out"}},
		{"link", []string{`"link" `, notFile, "write 'links'"}},
		{"192.0.2.1 Links", []string{"write 'links'"}},
		{"192.0.2.1 learn", []string{`"learn" `, notFile, "if it is the option, write it in a block"}},
		{"10.0.0.0/24", []string{"'10.0.0.0/24' is a range of addresses; write the address of each upstream, as in 10.0.0.0"}},
		{"192.0.2.1 10.0.0.0/24", []string{"'10.0.0.0/24' is a range of addresses"}},
		{"192.0.2.1 2001:db8::/32", []string{"'2001:db8::/32' is a range of addresses"}},
		{"192.0.2.1 10.0.0.0/240", []string{"'10.0.0.0/240' is a range of addresses"}},
		{"192.0.2.1 8.8.8.8,1.1.1.1", []string{`"8.8.8.8,1.1.1.1" `, notFile, "a space, and no comma"}},
		{"192.0.2.1 " + dir, []string{"cannot read upstreams", dir + " is a directory"}},
		{"192.0.2.1 ..", []string{"cannot read upstreams: .. is a directory"}},

		// Files that even root cannot open.
		{"loop.conf", []string{"cannot read upstreams", "loop.conf"}},
		{"good.conf/inner.conf", []string{"cannot read upstreams", "good.conf/inner.conf"}},
	} {
		wantError(t, "# a comment\ndnsmus "+tc.to+" {\n force_tcp\n}\n", 2, tc.words...)
	}
}

// A server block does not ask itself (R11); another one is a fair upstream.
func TestR11OwnAddresses(t *testing.T) {
	log := testkit.Logged(t)
	for _, tc := range []struct {
		bind, key, to string
		want          []server.Server
	}{
		{"127.0.0.1", "dns://.:53", "127.0.0.1 192.0.2.1", servers("192.0.2.1:53")},
		{"127.0.0.1", "dns://.:53", "192.0.2.1 ::ffff:127.0.0.1", servers("192.0.2.1:53")},
		{"127.0.0.1", "dns://.:5553", "127.0.0.1:5553 127.0.0.1", servers("127.0.0.1:53")},
		{"127.0.0.1", "dns://.:53", "127.0.0.2 ::1", servers("127.0.0.2:53", "[::1]:53")},
		{"127.0.0.1", "tls://.:53", "127.0.0.1", servers("127.0.0.1:53")}, // plain DNS finds nobody there
		{"::1", "dns://example.:53", "::1 127.0.0.1", servers("127.0.0.1:53")},
		{"", "dns://.:53", "127.0.0.2 192.0.2.1 ::1", servers("192.0.2.1:53")},
		{"::", "dns://.:53", "127.0.0.2 192.0.2.1 ::1", servers("192.0.2.1:53")},
		{"0.0.0.0", "dns://.:53", "127.0.0.2 192.0.2.1 ::1", servers("192.0.2.1:53", "[::1]:53")},
	} {
		c := caddy.NewTestController("dns", "dnsmus "+tc.to)
		c.ServerBlockKeys = []string{tc.key}
		dnsserver.GetConfig(c).ListenHosts = []string{tc.bind}
		cfg, err := parseStanza(c)
		if err != nil || !equal(cfg.Upstreams, tc.want) {
			t.Errorf("bind %s, %s, dnsmus %s: upstreams %v, %v, want %v", tc.bind, tc.key, tc.to, cfg.Upstreams, err, tc.want)
		}
	}
	if want := "Upstream 127.0.0.1:53 is left out"; log.Count(want) == 0 {
		t.Errorf("log is %q, want it to have %q", log, want)
	}

	c := caddy.NewTestController("dns", "\ndnsmus 127.0.0.1")
	c.ServerBlockKeys = []string{"dns://a.example.:5553", "dns://b.example.:53"}
	dnsserver.GetConfig(c).ListenHosts = []string{"192.0.2.1", "127.0.0.1"}
	if _, err := parseStanza(c); err == nil || !strings.HasPrefix(err.Error(), "Testfile:2 - ") || !strings.Contains(err.Error(), "127.0.0.1:53") {
		t.Errorf("error is %v, want it to name the line and the only upstream", err)
	}
}

func TestFileWarnings(t *testing.T) {
	log := testkit.Logged(t)
	name := filepath.Join(writeFiles(t, "some.conf", "nameserver 192.0.2.1\nnameserver x\n"), "some.conf")
	cfg, err := parseText("dnsmus " + name)
	if err != nil || !equal(cfg.Upstreams, servers("192.0.2.1:53")) {
		t.Errorf("upstreams %v, %v", cfg.Upstreams, err)
	}
	if want := name + `:2: "x" is not an IP address`; log.Count(want) == 0 {
		t.Errorf("log is %q, want it to have %q", log, want)
	}
}

// A file that cannot be used yet is no error while there are other upstreams: that
// of a VPN may come with the VPN.
func TestFilesUnusableYet(t *testing.T) {
	dir := writeFiles(t, "empty.conf", "", "good.conf", "nameserver 192.0.2.2\n")
	for _, tc := range []struct {
		to   string
		want []server.Server
		log  string
	}{
		{"192.0.2.1 " + dir + "/missing.conf", servers("192.0.2.1:53"), "missing.conf: no such file"},
		{dir + "/missing.conf " + dir + "/good.conf", servers("192.0.2.2:53"), "missing.conf: no such file"},
		{dir + "/good.conf " + dir + "/empty.conf 192.0.2.1", servers("192.0.2.2:53", "192.0.2.1:53"), "empty.conf has no usable nameserver line"},
	} {
		t.Run(filepath.Base(tc.to), func(t *testing.T) {
			log := testkit.Logged(t)
			st, err := parseText("dnsmus " + tc.to)
			if err != nil || !equal(st.Upstreams, tc.want) {
				t.Errorf("dnsmus %s: upstreams %v, %v, want %v", tc.to, st.Upstreams, err, tc.want)
			}
			if log.Count(tc.log) == 0 {
				t.Errorf("log is %q, want it to have %q", log, tc.log)
			}
		})
	}
}

// All that the system knows may be nothing, now; a file of that name is written ./links.
func TestLinks(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent") // not this machine's
	dir := writeFiles(t, "links", "nameserver 192.0.2.77\n")
	t.Chdir(dir)
	log := testkit.Logged(t)
	none, err := parseText("dnsmus links")
	if err != nil || !none.list.MayBeEmpty() {
		t.Fatalf("dnsmus links: %+v, %v", none, err)
	}
	if len(none.Upstreams) == 0 && log.Count(handler.NoneKnown) == 0 {
		t.Errorf("log is %q", log)
	}
	for to, want := range map[string][]server.Server{
		"links 192.0.2.1":         servers("192.0.2.1"),
		"192.0.2.1 links ./links": servers("192.0.2.1", "192.0.2.77"),
		"links ./links links":     servers("192.0.2.77"),
	} {
		st, err := parseText("dnsmus " + to)
		if err != nil || len(none.Upstreams) == 0 && !equal(st.Upstreams, want) {
			t.Errorf("dnsmus %s: %v, %v, want %v", to, st.Upstreams, err, want)
		}
	}
	if st, err := parseText("dnsmus ./links"); err != nil || !equal(st.Upstreams, servers("192.0.2.77")) || st.list.MayBeEmpty() {
		t.Errorf("dnsmus ./links: %v, %v", st.Upstreams, err)
	}
}

// Relative names are looked for where the root plugin says.
func TestRoot(t *testing.T) {
	root := writeFiles(t, "a.conf", "nameserver 192.0.2.1\n")
	here := writeFiles(t, "a.conf", "nameserver 192.0.2.2\n", "b.conf", "nameserver 192.0.2.3\n")
	t.Chdir(here)
	for _, tc := range []struct{ root, to, want string }{
		{root, "a.conf", "192.0.2.1:53"},
		{root, "./a.conf", "192.0.2.1:53"},
		{root, filepath.Join(here, "a.conf"), "192.0.2.2:53"},
		{"", "a.conf", "192.0.2.2:53"},
	} {
		c := caddy.NewTestController("dns", "dnsmus "+tc.to)
		dnsserver.GetConfig(c).Root = tc.root
		cfg, err := parseStanza(c)
		if err != nil || !equal(cfg.Upstreams, servers(tc.want)) {
			t.Errorf("root %q, %s: upstreams %v, %v, want %s", tc.root, tc.to, cfg.Upstreams, err, tc.want)
		}
	}
	c := caddy.NewTestController("dns", "dnsmus ./b.conf")
	dnsserver.GetConfig(c).Root = root
	if err := setup(c); err == nil || !strings.Contains(err.Error(), filepath.Join(root, "b.conf")) {
		t.Errorf("error is %v, want it to name the file below %s", err, root)
	}
}
