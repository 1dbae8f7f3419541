package version

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// A release that the changelog has is no longer the next one.
func TestNext(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "## ["+next+"]") {
		t.Errorf("%s is released: raise next", next)
	}
}

func TestOf(t *testing.T) {
	at := func(path, version string) *debug.Module { return &debug.Module{Path: path, Version: version} }
	replaced := func(by *debug.Module) *debug.Module {
		m := at(module, "v0.0.0")
		m.Replace = by
		return m
	}
	const coredns = "github.com/coredns/coredns"
	for _, test := range []struct {
		of   string
		info *debug.BuildInfo
		want string
	}{
		{"nothing", nil, ""},
		{"its own command", &debug.BuildInfo{Main: *at(module, "v1.2.3")}, "1.2.3"},
		{"a checkout", &debug.BuildInfo{Main: *at(module, "v0.0.0-20261130120000-0123456789ab+dirty")}, "0.0.0-20261130120000-0123456789ab+dirty"},
		{"a test", &debug.BuildInfo{Main: *at(module, "(devel)")}, ""},
		{"a CoreDNS with it", &debug.BuildInfo{Main: *at(coredns, "(devel)"), Deps: []*debug.Module{at("example.org/a", "v9.9.9"), at(module, "v1.2.3")}}, "1.2.3"},
		{"a CoreDNS with a fork", &debug.BuildInfo{Main: *at(coredns, "v1.15.0"), Deps: []*debug.Module{replaced(at("example.org/fork", "v1.2.4"))}}, "1.2.4"},
		{"a CoreDNS with a checkout", &debug.BuildInfo{Main: *at(coredns, "v1.15.0"), Deps: []*debug.Module{replaced(at("/src/dnsmus", ""))}}, ""},
		{"a CoreDNS without it", &debug.BuildInfo{Main: *at(coredns, "v1.15.0")}, ""},
	} {
		if got := of(test.info); got != test.want {
			t.Errorf("%s: %q, want %q", test.of, got, test.want)
		}
	}
}
