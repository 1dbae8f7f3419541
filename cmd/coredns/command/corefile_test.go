package command

import (
	"slices"
	"strings"
	"testing"

	"github.com/coredns/caddy/caddyfile"
)

// There is a control socket if this user has a directory for it.
func TestCorefileWithControl(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if _, lines := parsed(t, []string{"5553", "192.0.2.1"}); lines[1] != "dnsmus 192.0.2.1 { cache control own }" {
		t.Error(lines)
	}
}

// noRuntimeDir leaves the user without a directory for sockets.
func noRuntimeDir(t *testing.T) { t.Setenv("XDG_RUNTIME_DIR", "/none/such") }

func TestCorefile(t *testing.T) {
	noRuntimeDir(t)
	for _, test := range []struct{ words, keys, bind, stanza string }{
		{"5553", ".:5553", "bind 127.0.0.1", "dnsmus"},
		{"53 192.0.2.1 [2001:db8::1]:5353", ".:53", "bind 127.0.0.1", "dnsmus 192.0.2.1 [2001:db8::1]:5353"},
		{"192.0.2.7:53 /etc/resolv.conf", ".:53", "bind 192.0.2.7", "dnsmus /etc/resolv.conf"},
		{"0.0.0.0:53 a", ".:53", "bind 0.0.0.0", "dnsmus a"},
		{"[::]:53 a", ".:53", "bind ::", "dnsmus a"},
		{"[2001:db8::1]:5353 a", ".:5353", "bind 2001:db8::1", "dnsmus a"},
		{"[::ffff:192.0.2.7]:53 a", ".:53", "bind 192.0.2.7", "dnsmus a"},
		{"5553 192.0.2.1#5353 tls://192.0.2.1%dns.example", ".:5553", "bind 127.0.0.1", "dnsmus 192.0.2.1#5353 tls://192.0.2.1%dns.example"},
		{`5553 C:\resolv.conf`, ".:5553", "bind 127.0.0.1", `dnsmus C:\resolv.conf`},
	} {
		key, lines := parsed(t, strings.Fields(test.words))
		want := []string{test.bind, test.stanza + " { cache }", "errors { consolidate 1h .* }"}
		if key != test.keys || !slices.Equal(lines, want) {
			t.Errorf("%s: %s %q, want %s %q", test.words, key, lines, test.keys, want)
		}
	}
}

// parsed returns what Caddy reads in the built-in Corefile: the key of its only
// block, and the lines of that.
func parsed(t *testing.T, words []string) (key string, lines []string) {
	t.Helper()
	text, err := corefile(words, false)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	blocks, err := caddyfile.Parse("", strings.NewReader(text), []string{"bind", "dnsmus", "errors"})
	if err != nil || len(blocks) != 1 || len(blocks[0].Keys) != 1 {
		t.Fatalf("%q: %+v, %v in\n%s", words, blocks, err, text)
	}
	for _, directive := range []string{"bind", "dnsmus", "errors"} {
		var line []string
		for _, token := range blocks[0].Tokens[directive] {
			line = append(line, token.Text)
		}
		lines = append(lines, strings.Join(line, " "))
	}
	return blocks[0].Keys[0], lines
}

func TestBadWords(t *testing.T) {
	for words, want := range map[string]string{
		"0":                   "0",
		"65536":               "65536",
		"-1":                  "-1",
		"+53":                 "+53",
		"domain":              "domain",
		"192.0.2.1":           "192.0.2.1",
		"192.0.2.1#53":        "192.0.2.1#53",
		"192.0.2.1:":          "192.0.2.1:",
		"192.0.2.256:53":      "192.0.2.256:53",
		"localhost:53":        "localhost:53",
		"2001:db8::1":         "2001:db8::1",
		"2001:db8::1:53":      "2001:db8::1:53",
		"[]:53":               "[]:53",
		"[192.0.2.1:53":       "[192.0.2.1:53",
		":53":                 "0.0.0.0:53",
		"99999":               "1 to 65535",
		"127.0.0.1:0":         "1 to 65535",
		"foo":                 "the commands are doctor, explain, forget, ",
		":":                   ":",
		"":                    "where to listen",
		"[fe80::1%eth0]:53":   "eth0",
		"explian|example.org": "explian",
		"5553|":               "empty",
		"5553|a{$HOME}":       "HOME",
		"5553|{":              "{",
		"5553|}":              "}",
		"5553|a\"b":           "Corefile",
		"5553|a\nb":           "Corefile",
		"5553|a\xff":          "Corefile",
		`5553|a b\`:           "Corefile",
	} {
		if text, err := corefile(strings.Split(words, "|"), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v; want an error with %q", words, text, err, want)
		}
	}
}

// Whatever an upstream is called, Caddy reads just that, and nothing else; what it would not
// read so is an error.
func TestToken(t *testing.T) {
	noRuntimeDir(t)
	for word, ok := range map[string]bool{
		"my file": true, " ": true, "a#b": true, "#": true, `C:\a b\c`: true, `\\a b`: true, `C:\a\b`: true, "import": true, "errors": true, "é": true,
		"{": false, "}": false, `a b\`: false, "a\nb": false, `a"b`: false, "{$HOME}": false, "a\xff": false, "": false, "\u2028": false,
	} {
		if _, err := token(word); (err == nil) != ok {
			t.Errorf("%q: %v", word, err)
		} else if !ok {
			continue
		}
		_, lines := parsed(t, []string{"5553", word, "192.0.2.1"})
		if want := "dnsmus " + word + " 192.0.2.1 { cache }"; lines[1] != want {
			t.Errorf("%q becomes %q", want, lines[1])
		}
	}
}
