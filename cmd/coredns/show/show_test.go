package show

import (
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  string
	}{
		{"one two three", 0, "one two three"},
		{"one two three", 13, "one two three"},
		{"one two three", 12, "one two|  three"},
		{"one two three", 5, "one|  two|  three"},
		{"incomprehensible one two", 6, "incomprehensible|  one|  two"},
		{"one incomprehensible two", 6, "one|  incomprehensible|  two"},
		{"incomprehensible", 6, "incomprehensible"},
		{"    note of some words", 12, "    note of|  some words"},
		{"", 6, ""},
	} {
		if got := strings.Join(Wrap(tc.text, tc.width, "  "), "|"); got != tc.want {
			t.Errorf("%q in %d columns: %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestSpan(t *testing.T) {
	const ms = time.Millisecond
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 340 * time.Microsecond: "0.3 ms", 9949 * time.Microsecond: "9.9 ms", 9950 * time.Microsecond: "10 ms",
		123 * ms: "123 ms", 999 * ms: "999 ms", 999500 * time.Microsecond: "1.00 s", 4 * time.Second: "4.00 s", time.Minute: "60.00 s",
	} {
		if got := printable.Span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 42 * time.Second: "42 s", 59*time.Minute + 59*time.Second: "59 min", 2 * time.Hour: "2 h",
		3*time.Hour + 7*time.Minute: "3 h 7 min", 76 * time.Hour: "3 d 4 h",
	} {
		if got := Age(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	if got := printable.And([]string{"a", "b", "c"}); got != "a, b and c" {
		t.Error(got)
	}
	if got := Count(1, "name", "names") + ", " + Count(0, "name", "names"); got != "1 name, 0 names" {
		t.Error(got)
	}
	for word, want := range map[string]string{"wiki.corp.example.": "wiki.corp.example.", "$(reboot).example.": "'$(reboot).example.'", `\027.`: `'\027.'`, "a'b": `'a'\''b'`, "": "''", "a;b": "'a;b'"} {
		if got := Quoted(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
	if Ago(0) != "just now" || Ago(2*time.Second) != "2 s ago" {
		t.Error("ago")
	}
	if got := Cut("abcdefgh", 5); got != "ab..." {
		t.Error(got)
	}
}

func TestShare(t *testing.T) {
	for want, of := range map[string][2]int{"-": {0, 0}, "0%": {0, 10}, "<1%": {1, 1000}, "50%": {5, 10}, ">99%": {9999, 10000}, "99%": {990, 1000}, "67%": {2, 3}, "33%": {1, 3}, "1%": {6, 1000}, "100%": {10, 10}} {
		if got := Share(of[0], of[1]); got != want {
			t.Errorf("%v: %s, want %s", of, got, want)
		}
	}
}
