//go:build linux

package testkit

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// ExpectBill holds a bill of materials, in CycloneDX's JSON, to what Go says of the
// program: the modules in it, each with its purl and licences, and the standard library.
func ExpectBill(t testing.TB, bill []byte, program, version string) {
	t.Helper()
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"std": info.GoVersion}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		want[module.Path] = module.Version
	}
	type component struct {
		Type, Name, Version, Purl string
		Licenses                  []struct{ License struct{ ID string } }
	}
	var b struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component component
			Tools     []struct{ Name, Version string }
		}
		Components []component
	}
	if err := json.Unmarshal(bill, &b); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, c := range b.Components {
		got[c.Name] = c.Version
		if !strings.HasPrefix(c.Purl, "pkg:golang/"+c.Name+"@") || c.Type != "library" {
			t.Errorf("a component is %+v", c)
		}
		if len(c.Licenses) == 0 || c.Licenses[0].License.ID == "" {
			t.Errorf("%s has no licence", c.Name)
		}
	}
	if !maps.Equal(got, want) || len(got) != len(b.Components) {
		t.Errorf("the bill has\n%v\nGo says\n%v", got, want)
	}
	if b.BOMFormat != "CycloneDX" || b.SpecVersion != "1.6" || len(b.Metadata.Tools) != 1 {
		t.Errorf("it is of %s %s, by %v", b.BOMFormat, b.SpecVersion, b.Metadata.Tools)
	}
	if c := b.Metadata.Component; c.Type != "application" || c.Name != "github.com/dnsmus/dnsmus" || c.Version != version || len(c.Licenses) != 1 || c.Licenses[0].License.ID != "AGPL-3.0-only" {
		t.Errorf("it is about %+v", c)
	}
	if b.SerialNumber != "" || b.Metadata.Timestamp != "" {
		t.Errorf("another builder's differs: serial number %q, time %q", b.SerialNumber, b.Metadata.Timestamp)
	}
}
