package main

import (
	"debug/buildinfo"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// component is one of CycloneDX.
type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	URL     string `json:"purl"`
}

// bom is the bill of materials, in CycloneDX's JSON: the modules that the
// linker found in the programs, and the Go that built them.
func bom(version string, binaries []string) ([]byte, error) {
	parts := make(map[string]component)
	add := func(name, version string) {
		c := newComponent("library", name, version)
		parts[c.Ref] = c
	}
	for _, binary := range binaries {
		info, err := buildinfo.ReadFile(binary)
		if err != nil {
			return nil, err
		}
		add("stdlib", strings.TrimPrefix(info.GoVersion, "go"))
		for _, module := range info.Deps {
			if module.Replace != nil {
				module = module.Replace
			}
			add(module.Path, module.Version)
		}
	}
	type metadata struct {
		Component component `json:"component"`
	}
	return json.MarshalIndent(struct {
		Format     string      `json:"bomFormat"`
		Spec       string      `json:"specVersion"`
		Version    int         `json:"version"`
		Metadata   metadata    `json:"metadata"`
		Components []component `json:"components"`
	}{
		"CycloneDX", "1.5", 1,
		metadata{newComponent("application", "github.com/dnsmus/dnsmus", version)},
		slices.SortedFunc(maps.Values(parts), func(a, b component) int { return strings.Compare(a.Ref, b.Ref) }),
	}, "", " ")
}

func newComponent(kind, name, version string) component {
	url := "pkg:golang/" + name + "@" + strings.ReplaceAll(version, "+", "%2B")
	return component{Type: kind, Ref: url, Name: name, Version: version, URL: url}
}
