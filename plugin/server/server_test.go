package server

import (
	"fmt"
	"strings"
	"testing"
)

// What is shown of a path does not tell it, tells it from others, is always the same, and is not
// taken for a path; that of most servers is none.
func TestStringHidesPath(t *testing.T) {
	shown := make(map[string]string)
	for path, want := range map[string]string{
		"":                     "https://dns.example:443",
		"/dns-query":           "https://dns.example:443",
		"/dns-query{?dns}":     "https://dns.example:443",
		"/":                    "https://dns.example:443/",
		"/secret":              "https://dns.example:443/#",
		"/secret2":             "https://dns.example:443/#",
		"/secret/dns-query":    "https://dns.example:443/#",
		"/dns-query/secret":    "https://dns.example:443/#",
		"?secret=1":            "https://dns.example:443/#",
		"/dns-query?secret":    "https://dns.example:443/#",
		"/dns-query/":          "https://dns.example:443/#",
		"/secret/dns-query?a=": "https://dns.example:443/#",
	} {
		s, err := Parse("https://dns.example" + path)
		if err != nil {
			t.Fatal(err)
		}
		text := s.String()
		if hash, ok := strings.CutPrefix(text, want); !ok || strings.HasSuffix(want, "#") && len(hash) != 4 || !strings.HasSuffix(want, "#") && hash != "" {
			t.Errorf("%q is shown as %s", path, text)
		}
		if strings.HasSuffix(want, "#") {
			if other := shown[text]; other != "" {
				t.Errorf("%q and %q are both shown as %s", path, other, text)
			}
			shown[text] = path
			if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "write the path itself") {
				t.Errorf("%s is read back: %v", text, err)
			}
		}
		if again, err := Parse(s.Written()); err != nil || !again.Equal(s) {
			t.Errorf("%s is read back as %v, %v", s.Written(), again, err)
		}
		for _, verb := range []string{"%v", "%s", "%+v"} {
			for _, value := range []any{s, &s, s.ID} {
				if got := fmt.Sprintf(verb, value); got != text {
					t.Errorf("%s of %T writes %s", verb, value, got)
				}
			}
		}
	}
	one, _ := Parse("https://192.0.2.1%dns.example/abc123")
	if got, want := one.String(), "https://192.0.2.1%dns.example:443/#b3ec"; got != want {
		t.Errorf("shown as %s, before as %s", got, want)
	}
	if _, err := Parse("https://192.0.2.999/secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an error is %v", err)
	}
	if _, err := Parse("HTTPS://dns.example/secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("an error is %v", err)
	}
}

// Each transport has a whole row, and is read as it is written.
func TestTransports(t *testing.T) {
	all := Transports()
	if len(all) != len(transports)-1 {
		t.Errorf("there are %v, and %d rows", all, len(transports))
	}
	for _, tr := range all {
		if got, ok := ParseTransport(tr.String()); !ok || got != tr || transports[tr].port == 0 {
			t.Errorf("%s is read as %v, %v; its port is %d", tr, got, ok, transports[tr].port)
		}
		if tr.Encrypted() == (tr == DNS) {
			t.Errorf("%s is encrypted: %v", tr, tr.Encrypted())
		}
	}
	for name, want := range map[string]bool{"": false, "unknown": false, "DNS": false, "grpc": false, "dns": true} {
		if got, ok := ParseTransport(name); ok != want {
			t.Errorf("%q is %v, %v", name, got, ok)
		}
	}
	if got := transportNames(); got != "dns, tls, https or quic" {
		t.Error(got)
	}
}

// What is no transport is not one of plain text.
func TestNoTransport(t *testing.T) {
	for _, tr := range []Transport{0, Transport(len(transports)), 255} {
		if !tr.Encrypted() || tr.Datagram() || tr.String() != "unknown" {
			t.Errorf("%d is %s, encrypted: %v, over UDP: %v", tr, tr, tr.Encrypted(), tr.Datagram())
		}
	}
}
