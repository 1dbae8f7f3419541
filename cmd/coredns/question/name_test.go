package question

import (
	"strings"
	"testing"
)

func TestBareName(t *testing.T) {
	for word, want := range map[string]string{
		"host.example":                     "host.example",
		"host.example.":                    "host.example.",
		"_sip._tcp.host.example":           "_sip._tcp.host.example",
		"*.host.example":                   "*.host.example",
		"https":                            "https",
		".":                                ".",
		`a\@b\/c.example`:                  `a\@b\/c.example`,
		"0/25.2.0.192.in-addr.arpa":        "0/25.2.0.192.in-addr.arpa",
		"1.0/25.2.0.192.IN-ADDR.ARPA.":     "1.0/25.2.0.192.IN-ADDR.ARPA.",
		"https://host.example":             "host.example",
		"https://host.example.":            "host.example.",
		"HTTPS://Host.Example/":            "Host.Example",
		"https://host.example:8443/a:b@c?": "host.example",
		"http://user:pw@host.example?q#f":  "host.example",
		"ssh://git@host.example:22/repo":   "host.example",
		"jdbc:postgresql://db.example:5/x": "db.example",
		"//host.example/path":              "host.example",
		"host.example/path":                "host.example",
		"host.example/":                    "host.example",
		"host.example?q":                   "host.example",
		"host.example#f":                   "host.example",
		"host.example:443":                 "host.example",
		"host.example:":                    "host.example",
		"host.example:443/x":               "host.example",
		"host:8080":                        "host",
		"user@host.example":                "host.example",
		"mailto:user@host.example":         "host.example",
		"a@b@host.example:22":              "host.example",
		"git@host.example:group/repo.git":  "host.example",
		"<https://host.example/>":          "host.example",
		`"host.example"`:                   "host.example",
		" host.example, ":                  "host.example",
		"bücher.example":                   "xn--bcher-kva.example",
		"BÜCHER.example.":                  "xn--bcher-kva.example.",
		"bu\u0308cher.example":             "xn--bcher-kva.example",
		"straße.example":                   "xn--strae-oqa.example",
		"例え。example":                       "xn--r8jz45g.example",
		"_dmarc.bücher.example":            "_dmarc.xn--bcher-kva.example",
		"https://bücher.example:443/ü":     "xn--bcher-kva.example",
		"user@bücher.example":              "xn--bcher-kva.example",
	} {
		got, note, err := bareName(word, "-x ")
		if err != nil || got != want || (note == "") != (got == word) {
			t.Errorf("%q is %q, %q, %v, want %q", word, got, note, err, want)
		}
	}
	for word, want := range map[string]string{
		"https://":                  `"https://" has no name in it`,
		"https:///path":             "has no name in it",
		"user@":                     "has no name in it",
		":443":                      "has no name in it",
		"https://192.0.2.1/":        `"https://192.0.2.1/" has no name in it, but an address; for its name write -x 192.0.2.1`,
		"192.0.2.1:53":              "write -x 192.0.2.1",
		"https://[2001:db8::1]:443": "write -x 2001:db8::1",
		"[2001:db8::1]:53":          "write -x 2001:db8::1",
		"\xff.example":              "cannot be written in ASCII",
		"xn--a.ü.example":           "cannot be written in ASCII",
	} {
		if got, _, err := bareName(word, "-x "); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %q, %v, want %q", word, got, err, want)
		}
	}
	for _, word := range []string{"192.0.2.1", "2001:db8::1"} {
		got, note, err := bareName(word, "-x ")
		if got != word || err != nil || !strings.Contains(note, "-x "+word) {
			t.Errorf("%s is %q, %q, %v", word, got, note, err)
		}
	}
}

func TestNameOf(t *testing.T) {
	for word, want := range map[string]string{
		"Host.Example":           "Host.Example.",
		"https://host.example/x": "host.example.",
		"192.0.2.1":              "1.2.0.192.in-addr.arpa.",
		"::ffff:192.0.2.1":       "1.2.0.192.in-addr.arpa.",
		"[2001:db8::1]":          "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.",
		"fe80::1%eth0":           "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa.",
	} {
		if got, _, err := NameOf(word); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", word, got, err, want)
		}
	}
	for _, word := range []string{"a..b", "", strings.Repeat("a", 64)} {
		if got, _, err := NameOf(word); err == nil {
			t.Errorf("%q is %q", word, got)
		}
	}
}

func TestType(t *testing.T) {
	for word, want := range map[string]uint16{"a": 1, "AAAA": 28, "https": 65, "TYPE65": 65, "type65280": 65280, "": 0, "TYPE65536": 0, "FOO": 0, "axfr": 0, "OPT": 0, "None": 0} {
		if got, err := Type(word); got != want || (err != nil) != (want == 0) {
			t.Errorf("%s: %d, %v", word, got, err)
		}
	}
}

// A command without -x does not speak of it.
func TestAddressIn(t *testing.T) {
	if _, _, err := NameOf("https://192.0.2.1/x"); err == nil || !strings.HasSuffix(err.Error(), "for its name write 192.0.2.1") {
		t.Error(err)
	}
}
