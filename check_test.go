package dnsmus

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
)

// Zones that no plugin answers for are an error if they are all there are, else a warning. So
// is a plugin that is never asked.
func TestCheckNext(t *testing.T) {
	next := new(handler.Handler)
	for _, tc := range []struct {
		keys, except []string
		next         plugin.Handler
		fails        bool
		warns        string
	}{
		{keys: []string{"dns://.:53"}},
		{keys: []string{"dns://.:53"}, next: next, warns: "The plugin dnsmus has no effect"},
		{keys: []string{"dns://.:53"}, except: []string{"."}, fails: true},
		{keys: []string{"dns://.:53"}, except: []string{"."}, next: next},
		{keys: []string{"dns://.:53"}, except: []string{"home.arpa."}, warns: "Queries for home.arpa. fail"},
		{keys: []string{"dns://.:53"}, except: []string{"home.arpa."}, next: next},
		{keys: []string{"dns://Corp.example.:53"}, except: []string{"corp.example."}, fails: true},
		{keys: []string{"dns://a.corp.example.:53", "tls://b.example.:853"}, except: []string{"corp.example.", "b.example."}, fails: true},
		{keys: []string{"dns://a.corp.example.:53", "tls://b.example.:853"}, except: []string{"corp.example."}, warns: "Queries for corp.example. fail"},
	} {
		t.Run(fmt.Sprint(tc.keys, tc.except, tc.next != nil), func(t *testing.T) {
			log := testkit.Logged(t)
			err := checkNext(tc.keys, tc.except, tc.next)
			warned := strings.Contains(log.String(), "[WARNING]")
			if (err != nil) != tc.fails || warned != (tc.warns != "") || !strings.Contains(log.String(), tc.warns) {
				t.Errorf("%+v: %v, log %q", tc, err, log)
			}
		})
	}
}

// Options may need what is not there.
func TestWarnIdle(t *testing.T) {
	for stanza, warns := range map[string]string{
		"192.0.2.1 {\n tls_servername dns.example\n}":                           "tls_servername has no effect",
		"192.0.2.1 {\n tls\n}":                                                  "tls has no effect",
		"192.0.2.1 tls://192.0.2.2 {\n tls\n tls_servername dns.example\n}":     "",
		"192.0.2.1 https://dns.example {\n tls\n tls_servername dns.example\n}": "",
		"192.0.2.1 {\n history 100\n}":                                          "history has no effect without control",
		"192.0.2.1 {\n history 0\n}":                                            "",
		"192.0.2.1 {\n control\n history 100\n}":                                "",
		"192.0.2.1":                                                             "",
	} {
		t.Run(stanza, func(t *testing.T) {
			log := testkit.Logged(t)
			if _, err := parseText("dnsmus " + stanza); err != nil || strings.Contains(log.String(), "[WARNING]") != (warns != "") || !strings.Contains(log.String(), warns) {
				t.Errorf("%v, log %q, want %q", err, log, warns)
			}
		})
	}
}

// private_links is a promise that only links can keep.
func TestPrivateLinks(t *testing.T) {
	cfg, err := parseText("dnsmus 192.0.2.1 links {\n private_links\n}")
	if err != nil || !cfg.PrivateLinks {
		t.Errorf("%v, %v", cfg.PrivateLinks, err)
	}
}

// docs/from-forward.md has each option of forward, as forward's own page lists them; those that a
// stanza does not have are known, and the page says of the others that they are the same.
func TestFromForward(t *testing.T) {
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/coredns/coredns/plugin/forward").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(strings.TrimSpace(string(dir)) + "/setup.go")
	if err != nil {
		t.Fatal(err)
	}
	_, parser, found := strings.Cut(string(source), "\nfunc parseBlock(")
	parser, _, ends := strings.Cut(parser, "\n}\n")
	if !found || !ends {
		t.Fatal("forward reads its options elsewhere")
	}
	text, err := os.ReadFile("docs/from-forward.md")
	if err != nil {
		t.Fatal(err)
	}
	words := func(pattern, text string) (all []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
			all = append(all, match[1])
		}
		slices.Sort(all)
		return all
	}
	theirs, ours, told := words(`(?m)^\tcase "(\w+)":`, parser), words(`(?m)^\| \x60(\w+)\x60`, string(text)), slices.Clone(option.Names())
	told = slices.DeleteFunc(told, func(name string) bool { return !slices.Contains(theirs, name) })
	for name := range option.Forward {
		told = append(told, name)
	}
	slices.Sort(told)
	if !slices.Equal(theirs, ours) || !slices.Equal(theirs, told) {
		t.Errorf("forward has     %q\nthe page has    %q\na stanza knows  %q", theirs, ours, told)
	}
}
