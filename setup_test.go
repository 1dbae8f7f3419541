package dnsmus

import (
	"bytes"
	"fmt"
	golog "log"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

func parseText(text string) (stanza, error) {
	return parseStanza(caddy.NewTestController("dns", text))
}

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

func prefixes(words ...string) (list []netip.Prefix) {
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

// writeFiles makes a directory of files, given as name and content in turn.
func writeFiles(t *testing.T, files ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

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

func TestOptions(t *testing.T) {
	for block, change := range map[string]func(*handler.Config){
		"": func(*handler.Config) {},

		"except Corp.Example": func(c *handler.Config) { c.Except = plugin.Zones{"corp.example."} },
		"except a.example. B": func(c *handler.Config) { c.Except = plugin.Zones{"a.example.", "b."} },
		"except .":            func(c *handler.Config) { c.Except = plugin.Zones{"."} },
		"except 10.0.0.0/8 2001:db8::/32": func(c *handler.Config) {
			c.Except = plugin.Zones{"10.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."}
		},
		"except 192.0.2.0/23": func(c *handler.Config) {
			c.Except = plugin.Zones{"2.0.192.in-addr.arpa.", "3.0.192.in-addr.arpa."}
		},

		"good answer": func(*handler.Config) {},
		"good qtype":  func(c *handler.Config) { c.Rules.Policy.NeedType = true },

		"bogus 192.0.2.1":              func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.1/32") },
		"bogus 2001:db8::1":            func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("2001:db8::1/128") },
		"bogus ::ffff:192.0.2.1":       func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.1/32") },
		"bogus ::ffff:192.0.2.0/120":   func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24") },
		"bogus 192.0.2.0/24 10.0.0.1":  func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24", "10.0.0.1/32") },
		"bogus 192.0.2.77/24":          func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24") },
		"bogus 2001:db8:1:2::3/32":     func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("2001:db8::/32") },
		"good qtype\n bogus 0.0.0.0/0": func(c *handler.Config) { c.Rules.Policy = race.Policy{NeedType: true, Bogus: prefixes("0.0.0.0/0")} },

		"timeout 1500ms": func(c *handler.Config) { c.Rules.Timeout = 1500 * time.Millisecond },
		"timeout 10ms":   func(c *handler.Config) { c.Rules.Timeout = 10 * time.Millisecond },
		"timeout 1m":     func(c *handler.Config) { c.Rules.Timeout = time.Minute },
		"patience 1.5s":  func(c *handler.Config) { c.Patience = 1500 * time.Millisecond },

		"negative_ttl 30s": func(c *handler.Config) { c.NegativeTTL = 30 * time.Second },
		"negative_ttl 0":   func(c *handler.Config) { c.NegativeTTL = 0 },
		"negative_ttl 24h": func(c *handler.Config) { c.NegativeTTL = 24 * time.Hour },

		"tls_servername dns.example": func(c *handler.Config) { c.ServerName = "dns.example" },

		"max_concurrent 1":          func(c *handler.Config) { c.MaxConcurrent = 1 },
		"max_concurrent 0":          func(c *handler.Config) { c.MaxConcurrent = 0 },
		"max_concurrent 2147483647": func(c *handler.Config) { c.MaxConcurrent = 2147483647 },

		"force_tcp":       func(c *handler.Config) { c.ForceTCP = true },
		"prefer_udp":      func(c *handler.Config) { c.PreferUDP = true },
		"forward_special": func(c *handler.Config) { c.ForwardSpecial = true },
		"private_links":   func(c *handler.Config) { c.PrivateLinks = true },

		"learn":          func(c *handler.Config) { c.Learn = 10 * time.Minute },
		"learn 1s":       func(c *handler.Config) { c.Learn = time.Second },
		"learn 24h":      func(c *handler.Config) { c.Learn = 24 * time.Hour },
		"prefer order":   func(c *handler.Config) { c.Prefer = option.Order },
		"prefer private": func(c *handler.Config) { c.Prefer = option.Private },
		"away":           func(c *handler.Config) { c.Away = true },
		"filtered":       func(c *handler.Config) { c.Rules.Filtered = true },

		"# first\n force_tcp # why\n\n patience 3s\n timeout 3s": func(c *handler.Config) {
			c.ForceTCP, c.Patience, c.Rules.Timeout = true, 3*time.Second, 3*time.Second
		},
	} {
		want := handler.Config{
			Upstreams: servers("192.0.2.1:53"),
			Values: option.Values{
				Rules:         race.Rules{Timeout: 4 * time.Second},
				Patience:      2 * time.Second,
				NegativeTTL:   5 * time.Second,
				MaxConcurrent: 10000,
			},
		}
		change(&want)
		cfg, err := parseText("dnsmus 192.0.2.1 {\n " + block + "\n}")
		if err != nil || !reflect.DeepEqual(cfg.Config, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", block, cfg.Config, err, want)
		}
	}
}

// wantError checks that a stanza is refused, at the line wanted and with words
// that say what is wrong.
func wantError(t *testing.T, stanza string, line int, words ...string) {
	t.Helper()
	cfg, err := parseText(stanza)
	if err == nil {
		t.Errorf("%s\nis taken for %+v", stanza, cfg)
		return
	}
	if at := fmt.Sprintf("Testfile:%d - ", line); !strings.HasPrefix(err.Error(), at) {
		t.Errorf("%s\nerror is %v, want it to start with %s", stanza, err, at)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s\nerror is %v, want it to have %s", stanza, err, word)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	const (
		count    = "wrong number of arguments"
		duration = "is not a duration such as 4s or 500ms"
		limits   = "is not between 10ms and 1m0s"
		number   = "is not a number of queries"
		cidr     = "is not an address range such as"
	)
	for _, tc := range []struct {
		option string
		words  []string
	}{
		{"timout 4s", []string{"unknown option 'timout'", "bogus, except,", "timeout"}},
		{"Timeout 4s", []string{"unknown option 'Timeout'"}},
		{"192.0.2.2", []string{"unknown option '192.0.2.2'"}},

		{"except", []string{"except: " + count, "write: except ZONE..."}},
		{"except a..example", []string{"except: 'a..example' is not a zone"}},
		{"except a.example ::/0", []string{"except: '::/0' is not a zone"}},
		{`except ""`, []string{"except: '' is not a zone"}},
		{"good", []string{"good: " + count, "write: good answer|qtype"}},
		{"good answer qtype", []string{"good: " + count}},
		{"good any", []string{"good: 'any' is unknown", "write: good answer|qtype"}},
		{"bogus", []string{"bogus: " + count, "write: bogus CIDR..."}},
		{"bogus 192.0.2.0/24 192.0.2.0/33", []string{"bogus: '192.0.2.0/33' " + cidr}},
		{"bogus 192.0.2", []string{"bogus: '192.0.2' " + cidr}},
		{"bogus host.example", []string{"bogus: 'host.example' " + cidr}},
		{"timeout", []string{"timeout: " + count, "write: timeout DURATION"}},
		{"timeout 4s 5s", []string{"timeout: " + count}},
		{"timeout 4", []string{"timeout: '4' " + duration}},
		{"timeout soon", []string{"timeout: 'soon' " + duration}},
		{"timeout 0", []string{"timeout: '0' " + limits}},
		{"timeout 0s", []string{"timeout: '0s' " + limits}},
		{"timeout -4s", []string{"timeout: '-4s' " + limits}},
		{"timeout 9ms", []string{"timeout: '9ms' " + limits}},
		{"timeout 61s", []string{"timeout: '61s' " + limits}},
		{"timeout 9999999h", []string{"timeout: '9999999h' " + duration}}, // overflows
		{"patience", []string{"patience: " + count, "write: patience DURATION"}},
		{"patience 2s 3s", []string{"patience: " + count}},
		{"patience 2", []string{"patience: '2' " + duration}},
		{"patience 0", []string{"patience: '0' " + limits}},
		{"patience -2s", []string{"patience: '-2s' " + limits}},
		{"patience 2m", []string{"patience: '2m' " + limits}},
		{"negative_ttl", []string{"negative_ttl: " + count, "write: negative_ttl DURATION"}},
		{"negative_ttl 5s 6s", []string{"negative_ttl: " + count}},
		{"negative_ttl 5", []string{"negative_ttl: '5' " + duration}},
		{"negative_ttl 500ms", []string{"negative_ttl: '500ms' is not in whole seconds, as a TTL is; take 0s or 1s; write: negative_ttl DURATION"}},
		{"negative_ttl -5s", []string{"negative_ttl: '-5s' is not between 0s and 24h0m0s"}},
		{"negative_ttl 24h1s", []string{"negative_ttl: '24h1s' is not between 0s and 24h0m0s"}},
		{"max_concurrent", []string{"max_concurrent: " + count, "write: max_concurrent N"}},
		{"max_concurrent 1 2", []string{"max_concurrent: " + count}},
		{"max_concurrent many", []string{"max_concurrent: 'many' " + number}},
		{"max_concurrent -1", []string{"max_concurrent: '-1' " + number}},
		{"max_concurrent 1.5", []string{"max_concurrent: '1.5' " + number}},
		{"max_concurrent 2147483648", []string{"max_concurrent: '2147483648' " + number}},
		{"tls a b c d", []string{"tls: " + count, "write: tls [CERT KEY] [CA]"}},
		{"tls /missing.pem", []string{"tls: ", "/missing.pem"}},
		{"tls_servername", []string{"tls_servername: " + count, "write: tls_servername NAME"}},
		{"tls_servername a b", []string{"tls_servername: " + count}},
		{"force_tcp yes", []string{"force_tcp: " + count, "write: force_tcp"}},
		{"learn 1s 2s", []string{"learn: " + count, "write: learn [DURATION]"}},
		{"learn soon", []string{"learn: 'soon' " + duration}},
		{"learn 0s", []string{"learn: '0s' is not between 1s and 24h0m0s"}},
		{"hedge auto", []string{"unknown option 'hedge'", "the options are away, bogus, except,"}},
		{"spread", []string{"unknown option 'spread'"}},
		{"prefer", []string{"prefer: " + count, "write: prefer order|private"}},
		{"prefer public", []string{"prefer: 'public' is unknown"}},
		{"prefer order 20ms", []string{"prefer: " + count, "write: prefer order|private"}},
		{"away servfail", []string{"away: " + count, "write: away"}},
		{"filtered final", []string{"filtered: " + count, "write: filtered"}},
		{"prefer_udp yes", []string{"prefer_udp: " + count, "write: prefer_udp"}},
		{"forward_special yes", []string{"forward_special: " + count, "write: forward_special"}},
		{"private_links yes", []string{"private_links: " + count, "write: private_links"}},
	} {
		wantError(t, "dnsmus 192.0.2.1 {\n\n "+tc.option+"\n}", 3, tc.words...)
	}
	given := make(map[string]bool)
	for _, option := range []string{
		"except a.example", "good answer", "bogus 192.0.2.1", "timeout 4s", "patience 2s",
		"negative_ttl 5s", "max_concurrent 0", "force_tcp", "prefer_udp", "forward_special", "private_links", "tls", "tls_servername dns.example",
		"learn", "prefer order", "away", "filtered",
	} {
		name, _, _ := strings.Cut(option, " ")
		given[name] = true
		wantError(t, "dnsmus 192.0.2.1 {\n "+option+"\n "+option+"\n}", 3, "option '"+name+"' is given twice")
	}
	for _, name := range option.Names() {
		if !given[name] {
			t.Errorf("option %s is not tested", name)
		}
	}
	for _, pair := range []string{"force_tcp\n prefer_udp", "prefer_udp\n force_tcp"} {
		wantError(t, "dnsmus 192.0.2.1 {\n "+pair+"\n\n}", 3, "force_tcp and prefer_udp exclude each other")
	}
}

func TestUpstreamErrors(t *testing.T) {
	const notAddr = "is neither an address nor a file"
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
		{"grpc://192.0.2.1", []string{`"grpc://192.0.2.1" has a transport that upstreams cannot have`}},
		{"192.0.2.1 unix:///run/dns.sock", []string{`"unix:///run/dns.sock" has a transport`}},
		{"https3://192.0.2.1", []string{`"https3://192.0.2.1" has a transport`}},
		{"dns://tls://192.0.2.1", []string{`"dns://tls://192.0.2.1" is not an IP address`}},
		{"https://dns.example/dns-query", []string{`"https://dns.example/dns-query" is a name`}},
		{"tls://dns.google", []string{`"tls://dns.google" is a name, and no upstream has an IP address`, "as in tls://ADDR%dns.google"}},
		{"tls://dns.google https://dns.example", []string{`"tls://dns.google" is a name`}},
		{"host.conf", []string{"tls://dns.example:853 is a name, and no upstream", "as in tls://ADDR%dns.example"}},
		{"192.0.2.1 https://192.0.2.2/a%dns.example", []string{"has a bad path", "https://192.0.2.1%dns.example/path"}},
		{"tls://192.0.2.1%", []string{"has a bad name after the %"}},
		{"dns://dns.example", []string{`"dns://dns.example" is not an IP address`}},

		{"dns.example", []string{"'dns.example' " + notAddr, "write an address such as"}},
		{"dns.example:53", []string{"'dns.example:53' " + notAddr}},
		{"192.0.2", []string{"'192.0.2' " + notAddr}},
		{"192.0.2.1 192.0.2.2:0", []string{"'192.0.2.2:0' " + notAddr, "bad port"}},
		{"fe80::1", []string{"'fe80::1' " + notAddr, "not say of which link"}},
		{"0.0.0.0", []string{"'0.0.0.0' " + notAddr, "unspecified"}},
		{`""`, []string{"'' " + notAddr}},

		{"empty.conf", []string{"empty.conf has no usable nameserver line; add one"}},
		{"none.conf", []string{"none.conf has no usable nameserver line; add one"}},
		{"junk.conf", []string{"junk.conf has no usable nameserver line", `(line 2: "192.0.2" is not an IP address`}},
		{"none.conf empty.conf", []string{"none.conf has no usable nameserver line"}},
		{"./missing.conf", []string{"cannot read upstreams", "./missing.conf", "create it", "or name upstreams: 'dnsmus 192.0.2.1', or 'dnsmus links'", "'dnsmus 5553 192.0.2.1'"}},
		{dir + "/missing.conf", []string{"cannot read upstreams", dir + "/missing.conf"}},
		{dir, []string{"cannot read upstreams", dir + " is not a regular file"}},
		{os.DevNull, []string{"cannot read upstreams", os.DevNull + " is not a regular file"}},

		// As in forward, or in other lists of addresses.
		{". 8.8.8.8", []string{"'.' is not an upstream; leave it out", "unlike forward, dnsmus has no zone before the upstreams"}},
		{".", []string{"'.' is not an upstream"}},
		{"example.org 8.8.8.8", []string{"'example.org' " + notAddr, "if it is a zone leave it out"}},
		{"example.org. 8.8.8.8", []string{"'example.org.' " + notAddr, "if it is a zone leave it out"}},
		{"10.0.0.0/24", []string{"'10.0.0.0/24' is a range of addresses; write the address of each upstream, as in 10.0.0.0"}},
		{"192.0.2.1 10.0.0.0/24", []string{"'10.0.0.0/24' is a range of addresses"}},
		{"192.0.2.1 2001:db8::/32", []string{"'2001:db8::/32' is a range of addresses"}},
		{"192.0.2.1 10.0.0.0/240", []string{"'10.0.0.0/240' is a range of addresses"}},
		{"192.0.2.1 8.8.8.8,1.1.1.1", []string{"'8.8.8.8,1.1.1.1' " + notAddr}},
		{"192.0.2.1 " + dir, []string{"cannot read upstreams", dir + " is not a regular file but a directory"}},
		{"192.0.2.1 ..", []string{"cannot read upstreams: .. is not a regular file but a directory"}},

		// Files that even root cannot open.
		{"loop.conf", []string{"cannot read upstreams", "loop.conf"}},
		{"good.conf/inner.conf", []string{"cannot read upstreams", "good.conf/inner.conf"}},
	} {
		wantError(t, "# a comment\ndnsmus "+tc.to+" {\n force_tcp\n}\n", 2, tc.words...)
	}
}

// Names that nothing answers are an error if they are all there are, else a warning.
func TestLeadsNowhere(t *testing.T) {
	var out bytes.Buffer
	golog.SetOutput(&out)
	defer golog.SetOutput(os.Stderr)
	for _, tc := range []struct {
		keys, except []string
		next         plugin.Handler
		fails, warns bool
	}{
		{keys: []string{"dns://.:53"}},
		{keys: []string{"dns://.:53"}, except: []string{"."}, fails: true},
		{keys: []string{"dns://.:53"}, except: []string{"."}, next: new(handler.Handler)},
		{keys: []string{"dns://.:53"}, except: []string{"home.arpa."}, warns: true},
		{keys: []string{"dns://.:53"}, except: []string{"home.arpa."}, next: new(handler.Handler)},
		{keys: []string{"dns://Corp.example.:53"}, except: []string{"corp.example."}, fails: true},
		{keys: []string{"dns://a.corp.example.:53", "tls://b.example.:853"}, except: []string{"corp.example.", "b.example."}, fails: true},
		{keys: []string{"dns://a.corp.example.:53", "tls://b.example.:853"}, except: []string{"corp.example."}, warns: true},
	} {
		out.Reset()
		err := leadsNowhere(tc.keys, tc.except, tc.next)
		if (err != nil) != tc.fails || strings.Contains(out.String(), "Names in "+strings.Join(tc.except, " ")+" fail") != tc.warns {
			t.Errorf("%+v: %v, log %q", tc, err, out.String())
		}
	}
}

func TestTwoStanzas(t *testing.T) {
	for _, tc := range []struct {
		stanzas string
		line    int
	}{
		{"dnsmus 192.0.2.1\ndnsmus 192.0.2.2", 2},
		{"dnsmus 192.0.2.1 {\n}\n\ndnsmus 192.0.2.1", 4},
		{"dnsmus 192.0.2.1 {\n force_tcp\n}\ndnsmus 192.0.2.2 {\n force_tcp\n}", 4},
	} {
		wantError(t, tc.stanzas, tc.line, "'dnsmus': "+plugin.ErrOnce.Error(), "one stanza")
	}
}

// A server block does not ask itself (R11); another one is a fair upstream.
func TestR11OwnAddresses(t *testing.T) {
	var out bytes.Buffer
	golog.SetOutput(&out)
	defer golog.SetOutput(os.Stderr)
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
	if want := "Upstream 127.0.0.1:53 is left out"; !strings.Contains(out.String(), want) {
		t.Errorf("log is %q, want it to have %q", out.String(), want)
	}

	c := caddy.NewTestController("dns", "\ndnsmus 127.0.0.1")
	c.ServerBlockKeys = []string{"dns://a.example.:5553", "dns://b.example.:53"}
	dnsserver.GetConfig(c).ListenHosts = []string{"192.0.2.1", "127.0.0.1"}
	if _, err := parseStanza(c); err == nil || !strings.HasPrefix(err.Error(), "Testfile:2 - ") || !strings.Contains(err.Error(), "127.0.0.1:53") {
		t.Errorf("error is %v, want it to name the line and the only upstream", err)
	}
}

func TestFileWarnings(t *testing.T) {
	var out bytes.Buffer
	golog.SetOutput(&out)
	defer golog.SetOutput(os.Stderr)
	name := filepath.Join(writeFiles(t, "some.conf", "nameserver 192.0.2.1\nnameserver x\n"), "some.conf")
	cfg, err := parseText("dnsmus " + name)
	if err != nil || !equal(cfg.Upstreams, servers("192.0.2.1:53")) {
		t.Errorf("upstreams %v, %v", cfg.Upstreams, err)
	}
	if want := name + `:2: "x" is not an IP address`; !strings.Contains(out.String(), want) {
		t.Errorf("log is %q, want it to have %q", out.String(), want)
	}
}

// A file that is of no use yet is no error while there are other upstreams: that
// of a VPN may come with the VPN.
func TestFilesOfNoUseYet(t *testing.T) {
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
		var out bytes.Buffer
		golog.SetOutput(&out)
		st, err := parseText("dnsmus " + tc.to)
		golog.SetOutput(os.Stderr)
		if err != nil || !equal(st.Upstreams, tc.want) {
			t.Errorf("dnsmus %s: upstreams %v, %v, want %v", tc.to, st.Upstreams, err, tc.want)
		}
		if !strings.Contains(out.String(), tc.log) {
			t.Errorf("log is %q, want it to have %q", out.String(), tc.log)
		}
	}
}

// All that the system knows may be nothing, now; a file of that name is written ./links.
func TestLinks(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent") // not this machine's
	dir := writeFiles(t, "links", "nameserver 192.0.2.77\n")
	t.Chdir(dir)
	var out bytes.Buffer
	golog.SetOutput(&out)
	defer golog.SetOutput(os.Stderr)
	none, err := parseText("dnsmus links")
	if err != nil || !none.list.MayBeEmpty() {
		t.Fatalf("dnsmus links: %+v, %v", none, err)
	}
	if len(none.Upstreams) == 0 && !strings.Contains(out.String(), handler.NoneKnown) {
		t.Errorf("log is %q", &out)
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

func TestSetup(t *testing.T) {
	setup, err := caddy.DirectiveAction("dns", "dnsmus")
	if err != nil {
		t.Fatal(err)
	}
	c := caddy.NewTestController("dns", "dnsmus 192.0.2.1")
	if err := setup(c); err != nil {
		t.Fatal(err)
	}
	chain := dnsserver.GetConfig(c).Plugin
	if len(chain) != 1 {
		t.Fatalf("%d plugins in the chain, want 1", len(chain))
	}
	next := new(handler.Handler)
	h, ok := chain[0](next).(*handler.Handler)
	if !ok || h.Name() != "dnsmus" || h.Next != next {
		t.Errorf("the chain has %#v, want dnsmus and the next plugin after it", h)
	}
	// Files are watched from startup to shutdown, and without the latter each
	// reload would leave sockets behind. Caddy shows its hooks to nobody else.
	for _, hook := range []string{"OnStartup", "OnShutdown"} {
		if n := reflect.ValueOf(c).Elem().FieldByName("instance").Elem().FieldByName(hook).Len(); n != 1 {
			t.Errorf("%d functions in %s, want 1", n, hook)
		}
	}

	c = caddy.NewTestController("dns", "dnsmus 192.0.2.1 {\n timeout x\n}")
	if err := setup(c); err == nil || !strings.HasPrefix(err.Error(), "plugin/dnsmus: Testfile:2 - ") {
		t.Errorf("error is %v, want it to name plugin and line", err)
	}
	if n := len(dnsserver.GetConfig(c).Plugin); n != 0 {
		t.Errorf("%d plugins in the chain after an error", n)
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

func TestCorefileExample(t *testing.T) {
	text, err := os.ReadFile("Corefile.example")
	if err != nil {
		t.Fatal(err)
	}
	checkCorefile(t, "Corefile.example", string(text))
}

var fenced = regexp.MustCompile("(?ims)^(?:~~~|```) *corefile *$(.*?)^(?:~~~|```) *$")

func TestReadmeCorefiles(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := fenced.FindAllSubmatchIndex(text, -1)
	if len(found) == 0 {
		t.Error("README.md has no block fenced as corefile")
	}
	for _, at := range found {
		// Empty lines in front make errors name the line in README.md.
		before := strings.Repeat("\n", bytes.Count(text[:at[2]], []byte("\n")))
		checkCorefile(t, "README.md", before+string(text[at[2]:at[3]]))
	}
}

// checkCorefile reads a Corefile as CoreDNS does, its dnsmus stanzas wholly and
// those of other plugins as far as their names.
func checkCorefile(t *testing.T, name, text string) {
	t.Helper()
	directives := append(slices.Clone(dnsserver.Directives), handler.Name)
	blocks, err := caddyfile.Parse(name, strings.NewReader(text), directives)
	if err != nil {
		t.Error(err)
		return
	}
	file := filepath.Join(writeFiles(t, "resolv.conf", "nameserver 192.0.2.1\n"), "resolv.conf")
	stanzas := 0
	for _, block := range blocks {
		tokens := block.Tokens[handler.Name]
		if len(tokens) == 0 {
			continue
		}
		stanzas++
		c := caddy.NewTestController("dns", "")
		c.Dispenser = caddyfile.NewDispenserTokens(name, replaceFiles(tokens, file))
		if _, err := parseStanza(c); err != nil {
			t.Error(err)
		}
	}
	if stanzas == 0 {
		t.Errorf("%s: Corefile has no dnsmus stanza:\n%s", name, strings.TrimSpace(text))
	}
}

// replaceFiles puts file in place of those files of a stanza that need not exist
// where the test runs: absolute ones, and the default one.
func replaceFiles(stanza []caddyfile.Token, file string) []caddyfile.Token {
	to := stanza[:1:1]
	for _, word := range stanza[1:] {
		if word.Line != stanza[0].Line || word.Text == "{" {
			break
		}
		if filepath.IsAbs(word.Text) {
			word.Text = file
		}
		to = append(to, word)
	}
	rest := stanza[len(to):]
	if len(to) == 1 {
		to = append(to, caddyfile.Token{File: stanza[0].File, Line: stanza[0].Line, Text: file})
	}
	return slices.Concat(to, rest)
}
