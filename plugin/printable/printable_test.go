package printable

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"":                                  "",
		"dns.example: bücher, 例え, 🙂":        "dns.example: bücher, 例え, 🙂",
		"a\tb":                              "a b",
		"a\nb\r\nc":                         "a?b??c",
		"\x1b[31m\x1b]0;title\x07":          "?[31m?]0;title?",
		"\x00\x08\x7f":                      "???",
		"\u0080\u009b31m\u009f":             "??31m?",
		"\x9b31m":                           "?31m",
		"\u202eabc\u202c\u2066\u200f\u061c": "?abc????",
		"a\u2028b\u2029c\u0085":             "a?b?c?",
		"\u200b\ufeff\u00ad\U000e0041":      "????",
		"\xff\xc3":                          "??",
		"\ufffd":                            "?",
	} {
		if got := Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("\x1b[31m\nx", 3)
	f.Add("例え\xff", 4)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		limit = min(max(limit, 0), 1000)
		text := Text(in)
		cut := Cut(text, limit)
		if !utf8.ValidString(cut) || len(cut) > limit+3 || Text(cut) != cut || strings.ContainsAny(cut, "\n\r\x1b") || len(text) <= limit && cut != text {
			t.Errorf("%q: got %q", in, cut)
		}
		if ascii := ASCII(in); !isPlain(ascii) || isPlain(in) && ascii != in {
			t.Errorf("%q: got %q", in, ascii)
		}
		if name := Name(in); !isPlain(name) || strings.Contains(name, " ") {
			t.Errorf("%q: got the name %q", in, name)
		}
	})
}

func TestError(t *testing.T) {
	hostile := fmt.Errorf("valid for a\n[INFO] b: %w", io.EOF)
	long := fmt.Errorf("%s: %w", strings.Repeat("é", maxShort), io.EOF)
	for _, err := range []error{hostile, long, fmt.Errorf("dial: %w", Error(hostile))} {
		shown := Error(err)
		if text := shown.Error(); strings.Contains(text, "\n") || len(text) > maxShort+len("...") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
		if !errors.Is(shown, io.EOF) {
			t.Errorf("%v does not wrap what it is", shown)
		}
	}
	if Error(io.EOF) != io.EOF || Error(nil) != nil {
		t.Error("an error that can be shown is changed")
	}
}

// Names are in presentation form, and texts in ASCII: nothing of them can change a terminal.
func TestForTerminals(t *testing.T) {
	for name, want := range map[string]string{
		"wiki.corp.example.":           "wiki.corp.example.",
		`a\.b.example.`:                `a\.b.example.`,
		"\x1b[2J.example.":             `\027[2J.example.`,
		"a b.example.":                 `a\032b.example.`,
		"<img/src=x/onerror=alert(1)>": "<img/src=x/onerror=alert(1)>",
		"b\u00fc.example.":             `b\195\188.example.`,
		"\u202e\xff\x7f":               `\226\128\174\255\127`,
	} {
		if got := Name(name); got != want {
			t.Errorf("name %q: %q, want %q", name, got, want)
		}
	}
	for text, want := range map[string]string{
		"two words\tmore":       "two words more",
		"\x1b[2J\r\nforged\x7f": "?[2J??forged?",
		"\u202eevil\u009b1m":    "?evil?1m",
		"\xff\u4f60":            "??",
	} {
		if got := ASCII(text); got != want {
			t.Errorf("text %q: %q, want %q", text, got, want)
		}
	}
}

func TestRcode(t *testing.T) {
	for in, want := range map[int]string{0: "NOERROR", 3: "NXDOMAIN", 23: "BADCOOKIE", 12: "RCODE12", 4095: "RCODE4095"} {
		if got := Rcode(in); got != want {
			t.Errorf("%d: got %q, want %q", in, got, want)
		}
	}
}
