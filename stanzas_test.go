package dnsmus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Commands read the Corefile as a server does, and nothing of other plugins.
func TestStanzas(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "list"), []byte("nameserver 192.0.2.7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Stanzas("Corefile", []byte(`(snippet) {
		prefer order
	}
	.:53 {
		bind 127.0.0.123
		hosts /nowhere
		dnsmus links 192.0.2.1 https://192.0.2.2/secret {
			import snippet
			timeout 3s
		}
	}
	corp.example:53 tls://Other.Example {
		root `+dir+`
		dnsmus list
	}
	third.example {
		forward . 192.0.2.1
	}`))
	if err != nil || len(all) != 2 {
		t.Fatalf("%d stanzas, %v", len(all), err)
	}
	first, second := all[0], all[1]
	if !slices.Equal(first.Zones, []string{"."}) || first.Values.Rules.Timeout != 3*time.Second || first.Values.Prefer == 0 {
		t.Errorf("%+v", first)
	}
	if to := strings.Join(first.To, " "); !strings.HasPrefix(to, "links 192.0.2.1:53 https://") || strings.Contains(to, "secret") {
		t.Errorf("it names %q", to)
	}
	second.List.Read()
	if servers := second.List.Servers(); !slices.Equal(second.Zones, []string{"corp.example.", "other.example."}) || len(servers) != 1 || servers[0].String() != "192.0.2.7:53" {
		t.Errorf("%+v, %v", second, servers)
	}

	for text, want := range map[string]string{
		". {\ndnsmus 192.0.2.1 {\ntimeout soon\n}\n}": "Corefile:3 - Error during parsing: timeout: 'soon'",
		". {\ndnsmus nowhere\n}":                      "Corefile:2 - Error during parsing: \"nowhere\"",
		". {\ndnsmus":                                 "Corefile:2",
	} {
		if _, err := Stanzas("Corefile", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
