package explain

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/race"
)

func TestQuestions(t *testing.T) {
	for line, want := range map[string]string{
		"host.example":                "host.example. A",
		"host.example.":               "host.example. A",
		"host.example a":              "host.example. A",
		"-- host.example A":           "host.example. A",
		"host.example --":             "host.example. A",
		"host.example AAAA":           "host.example. AAAA",
		"host.example https":          "host.example. HTTPS",
		"host.example TYPE65":         "host.example. HTTPS",
		"host.example type65280":      "host.example. TYPE65280",
		"host.example ANY":            "host.example. ANY",
		"host.example A AAAA a HTTPS": "host.example. A, host.example. AAAA, host.example. HTTPS",
		"-- --tcp":                    "--tcp. A",
		". NS":                        ". NS",
		"-x 192.0.2.1":                "1.2.0.192.in-addr.arpa. PTR",
		"TXT -x ::ffff:192.0.2.1":     "1.2.0.192.in-addr.arpa. TXT",
		"-x ::1":                      "1." + strings.Repeat("0.", 31) + "ip6.arpa. PTR",
	} {
		cfg, err := parse(strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		for _, q := range cfg.questions {
			got = append(got, q.Name+" "+dns.Type(q.Qtype).String())
		}
		if strings.Join(got, ", ") != want || !cfg.askServer() {
			t.Errorf("%s: %q, want %s", line, got, want)
		}
	}
}

// Flags set options beside those of a Corefile, and keep the question from the server that runs.
func TestOptions(t *testing.T) {
	for line, change := range map[string]func(*option.Values){
		"--tcp host.example":                           func(v *option.Values) { v.ForceTCP = true },
		"host.example -tcp":                            func(v *option.Values) { v.ForceTCP = true },
		"host.example --tcp A --json":                  func(v *option.Values) { v.ForceTCP = true },
		"host.example --prefer private":                func(v *option.Values) { v.Prefer = option.Private },
		"host.example --prefer=order":                  func(v *option.Values) { v.Prefer = option.Order },
		"--timeout 1s host.example A --patience=500ms": func(v *option.Values) { v.Rules.Timeout, v.Patience = time.Second, 500*time.Millisecond },
		"host.example --negative-ttl 0s":               func(v *option.Values) { v.NegativeTTL = 0 },
		"--bogus 192.0.2.7/24 host.example --bogus ::ffff:198.51.100.1": func(v *option.Values) {
			v.Rules.Policy.Bogus = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.1/32")}
		},
	} {
		want := option.Values{Rules: race.Rules{Timeout: 4 * time.Second}, Patience: 2 * time.Second, NegativeTTL: 5 * time.Second, MaxConcurrent: 10000}
		change(&want)
		cfg, err := parse(strings.Fields(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		v := option.Default()
		cfg.apply(&v)
		if got, want := fmt.Sprintf("%+v", v), fmt.Sprintf("%+v", want); got != want || cfg.askServer() {
			t.Errorf("%s:\n got %s\nwant %s", line, got, want)
		}
	}
}

func TestArgErrors(t *testing.T) {
	for line, want := range map[string]string{
		"":                                 "missing NAME",
		"@192.0.2.1":                       "missing NAME",
		"host..example":                    `"host..example" is not a domain name`,
		`h\ `:                              "is not a domain name",
		strings.Repeat("a", 64):            "is not a domain name",
		"host.example FOO":                 `"FOO" is not a record type; write one such as AAAA`,
		"-- host.example -tcp":             `"-tcp" is not a record type`,
		"host.example TYPE0":               "is not a record type",
		"host.example TYPE65536":           "is not a record type",
		"host.example None":                "is not a record type",
		"host.example axfr":                "AXFR is not a type that resolvers can be asked for",
		"host.example OPT":                 "OPT is not a type",
		"host.example A B":                 `"B" is not a record type`,
		"-x 192.0.2.1 PTR x":               `"x" is not a record type`,
		"-x host.example":                  `"host.example" is not an IP address`,
		"host.example @ns.example":         `"ns.example" is not an IP address; write an address such as`,
		"host.example @":                   "is not an IP address",
		"host.example @192.0.2.1:0":        "bad port",
		"host.example -f":                  "flag needs an argument: -f",
		"host.example -f=":                 "the file name is empty",
		"host.example --tpc":               "-tpc",
		"host.example --prefer any":        "write order or private",
		"host.example --good qtype":        "good",
		"host.example --bogus x":           "write an address range such as",
		"host.example --timeout 4":         "write a duration such as 4s",
		"host.example --timeout 9ms":       "not between 10ms and 1m0s",
		"host.example --patience 2m":       "not between 10ms and 1m0s",
		"host.example -conf a -f b":        "-conf names upstreams, as -f and @ do",
		"host.example -s a --alone":        "leave out -s and --server",
		"host.example --negative-ttl 25h":  "not between 0s and 24h0m0s",
		"host.example --negative-ttl 1.5s": "it is not in whole seconds, as a TTL is; take 1s or 2s",
	} {
		status, out, problems := explains(t, strings.Split(line, " ")...)
		if line == "" {
			status, out, problems = explains(t)
		}
		if status != 64 || out != "" || !strings.Contains(problems, want) || !strings.HasSuffix(problems, "; see 'dnsmus explain -h'\n") || strings.Count(problems, "\n") != 1 {
			t.Errorf("%s: status %d, output %q, problems %q; want %q", line, status, out, problems, want)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"-h", "--help", "host.example -h", "FOO BAR BAZ -h"} {
		status, out, problems := explains(t, strings.Fields(line)...)
		if status != 0 || problems != "" || !strings.HasPrefix(out, "Usage: dnsmus explain NAME [TYPE]...") {
			t.Errorf("%s: status %d, problems %q, output\n%s", line, status, problems, out)
		}
		for text := range strings.Lines(out) {
			if len(text) > 81 {
				t.Errorf("too long for a terminal: %s", text)
			}
		}
	}
}

func TestSources(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a := write("a", "nameserver 192.0.2.1\nnameserver 192.0.2.2\n")
	b := write("b", "nameserver 192.0.2.2\nnameserver fe80::1%eth0\n")
	for _, tc := range []struct{ line, want string }{
		{"x -f " + a, "[192.0.2.1:53 192.0.2.2:53]"},
		{"-f " + b + " x -f=" + a, "[192.0.2.2:53 [fe80::1%eth0]:53 192.0.2.1:53]"},
		{"@192.0.2.9 x -f " + a + " @192.0.2.1", "[192.0.2.9:53 192.0.2.1:53 192.0.2.2:53]"},
		{"x @192.0.2.9:5353 A @2001:db8::1 @[2001:db8::1]:5353", "[192.0.2.9:5353 [2001:db8::1]:53 [2001:db8::1]:5353]"},
	} {
		cfg, err := parse(strings.Fields(tc.line))
		if err != nil {
			t.Errorf("%s: %v", tc.line, err)
			continue
		}
		cfg.list.Read()
		if got := fmt.Sprint(cfg.list.Servers()); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.line, got, tc.want)
		}
	}
}

func TestNoUpstreams(t *testing.T) {
	dir := t.TempDir()
	missing, empty := filepath.Join(dir, "missing"), filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("nameserver x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, problems := explains(t, "x", "-f", missing, "-f", empty)
	if status != 66 || out != "" || !strings.Contains(problems, missing+": no such file") || !strings.Contains(problems, empty+" has no usable nameserver line") || !strings.Contains(problems, "name one as @192.0.2.1") {
		t.Errorf("status %d, output %q, problems %q", status, out, problems)
	}
}

// Whatever is typed is either asked or an error.
func FuzzArgs(f *testing.F) {
	f.Add(`h\ost.example`, "A")
	f.Add(`\300.`, "TYPE1")
	f.Fuzz(func(t *testing.T, name, qtype string) {
		cfg, err := parse([]string{"--", name, qtype})
		if err != nil {
			return
		}
		if msg, err := outcome.Message(cfg.questions[0]); err != nil || new(dns.Msg).Unpack(msg) != nil {
			t.Errorf("%q %q: asks % x, %v", name, qtype, msg, err)
		}
	})
}
