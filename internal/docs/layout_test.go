package docs_test

import (
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// mayImport lists what each package may import of this module; "." is the root. All others
// may import nothing of it.
var mayImport = map[string][]string{
	".":                    {"plugin/handler", "plugin/option", "plugin/server", "plugin/source"},
	"cmd/coredns":          {"cmd/coredns/command"},
	"cmd/coredns/command":  {".", "cmd/coredns/client", "cmd/coredns/doctor", "cmd/coredns/explain", "cmd/coredns/forget", "cmd/coredns/show", "cmd/coredns/status", "cmd/coredns/tail", "cmd/coredns/top", "cmd/coredns/why", "cmd/coredns/zones", "plugin/control", "plugin/control/api", "plugin/option", "plugin/printable", "plugin/version"},
	"cmd/coredns/top":      {"cmd/coredns/client", "cmd/coredns/explain", "cmd/coredns/show", "cmd/coredns/top/web", "cmd/coredns/why", "cmd/coredns/zones", "plugin/control", "plugin/control/api"},
	"cmd/coredns/top/web":  {"cmd/coredns/client", "plugin/control/api"},
	"cmd/coredns/doctor":   {"cmd/coredns/client", "cmd/coredns/show", "plugin/control/api", "plugin/option", "plugin/outcome", "plugin/pool", "plugin/printable", "plugin/race", "plugin/server", "plugin/source"},
	"cmd/coredns/explain":  {"cmd/coredns/client", "cmd/coredns/question", "cmd/coredns/show", "plugin/control/api", "plugin/link", "plugin/option", "plugin/outcome", "plugin/pool", "plugin/printable", "plugin/server", "plugin/source"},
	"cmd/coredns/status":   {"cmd/coredns/client", "cmd/coredns/show", "plugin/control/api", "plugin/printable"},
	"cmd/coredns/why":      {"cmd/coredns/client", "cmd/coredns/question", "cmd/coredns/show", "plugin/control/api", "plugin/printable"},
	"cmd/coredns/zones":    {"cmd/coredns/client", "cmd/coredns/question", "cmd/coredns/show", "plugin/control/api"},
	"cmd/coredns/tail":     {"cmd/coredns/client", "cmd/coredns/show", "plugin/control/api", "plugin/printable"},
	"cmd/coredns/forget":   {"cmd/coredns/client", "cmd/coredns/question", "cmd/coredns/show", "plugin/control/api", "plugin/printable"},
	"cmd/coredns/question": {},
	"cmd/coredns/client":   {"cmd/coredns/show", "plugin/control/api", "plugin/printable"},
	"cmd/coredns/show":     {"plugin/control/api", "plugin/option", "plugin/printable"},
	"plugin/handler":       {"plugin/account", "plugin/cache", "plugin/control", "plugin/control/api", "plugin/history", "plugin/instant", "plugin/outcome", "plugin/link", "plugin/option", "plugin/pool", "plugin/ports", "plugin/race", "plugin/server", "plugin/source", "plugin/upstream", "plugin/version", "plugin/wire"},
	"plugin/control":       {"plugin/account", "plugin/control/api", "plugin/history", "plugin/instant", "plugin/link", "plugin/option", "plugin/outcome", "plugin/pool", "plugin/printable", "plugin/race", "plugin/server", "plugin/upstream", "plugin/version", "plugin/wire"},
	"plugin/control/api":   {},
	"plugin/history":       {"plugin/control/api", "plugin/printable", "plugin/race"},
	"plugin/account":       {"plugin/instant"},
	"plugin/outcome":       {"plugin/cache", "plugin/control/api", "plugin/knowledge", "plugin/option", "plugin/pool", "plugin/printable", "plugin/race", "plugin/upstream", "plugin/wire"},
	"plugin/cache":         {"plugin/race", "plugin/wire"},
	"plugin/knowledge":     {"plugin/race", "plugin/wire"},
	"plugin/option":        {"plugin/race", "plugin/server"},
	"plugin/pool":          {"plugin/account", "plugin/cache", "plugin/instant", "plugin/knowledge", "plugin/link", "plugin/option", "plugin/ports", "plugin/printable", "plugin/race", "plugin/secure", "plugin/server", "plugin/udp", "plugin/upstream", "plugin/wire"},
	"plugin/race":          {"plugin/instant", "plugin/poll", "plugin/printable", "plugin/wire"},
	"plugin/secure":        {"plugin/ports", "plugin/server", "plugin/udp", "plugin/upstream"},
	"plugin/source":        {"plugin/link", "plugin/printable", "plugin/server"},
	"plugin/upstream":      {"plugin/instant", "plugin/known", "plugin/link", "plugin/poll", "plugin/ports", "plugin/printable", "plugin/udp", "plugin/wire"},
	"plugin/known":         {"plugin/instant"},
	"plugin/ports":         {"plugin/instant", "plugin/link", "plugin/udp", "plugin/wire"},
	"plugin/udp":           {"plugin/instant", "plugin/link", "plugin/poll"},
	"plugin/poll":          {"plugin/instant"},
	"plugin/link":          {},
	"plugin/version":       {},
	"plugin/instant":       {},
	"plugin/server":        {"plugin/printable"},
	"plugin/printable":     {},
	"plugin/wire":          {},
}

// knowCoreDNS are those of them that may import CoreDNS.
var knowCoreDNS = []string{".", "cmd/coredns", "cmd/coredns/command", "plugin/handler"}

// shards is a package of CoreDNS that knows nothing else of it, so others may import it too.
const shards = "github.com/coredns/coredns/plugin/pkg/cache"

// layout returns the files and folders in DESIGN.md's layout, from the top down.
func layout(t *testing.T) (rows []string) {
	t.Helper()
	_, text, _ := strings.Cut(read(t, "DESIGN.md"), "\n## Layout\n")
	_, text, _ = strings.Cut(text, "\n```\n")
	text, _, found := strings.Cut(text, "\n```\n")
	if !found {
		t.Fatal("there is no layout")
	}
	for line := range strings.Lines(text) {
		row, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		rows = append(rows, row)
	}
	return rows
}

// importsOf returns what the files of each package import, without its tests, by folder.
func importsOf(t *testing.T) map[string][]string {
	t.Helper()
	imports := make(map[string][]string)
	for _, name := range files(t, ".go") {
		all := imports[path.Dir(name)]
		if !strings.HasSuffix(name, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), "../../"+name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range file.Imports {
				all = append(all, strings.Trim(spec.Path.Value, "\"`"))
			}
		}
		imports[path.Dir(name)] = all
	}
	return imports
}

// Packages import what is listed for them and nothing else, and only those at the top import
// CoreDNS. Tests may import what they like.
func TestImports(t *testing.T) {
	imports := importsOf(t)
	for dir, paths := range imports {
		allowed, listed := mayImport[dir]
		if !listed && strings.HasPrefix(dir, "plugin/") {
			t.Errorf("what package %s may import is not listed in this test", dir)
		}
		for _, imported := range paths {
			own, isOwn := strings.CutPrefix(imported+"/", module+"/")
			if isOwn && !slices.Contains(allowed, path.Clean(own)) ||
				strings.HasPrefix(imported, "github.com/coredns/") && listed && !slices.Contains(knowCoreDNS, dir) && imported != shards {
				t.Errorf("%s must not import %s", dir, imported)
			}
		}
	}
	for dir := range mayImport {
		if _, ok := imports[dir]; !ok {
			t.Errorf("there is no package %s", dir)
		}
	}
}

// The layout in DESIGN.md has each package, and what a package may import stands below it.
func TestLayout(t *testing.T) {
	rows := layout(t)
	row := func(dir string) int { // -1: none
		if dir == "." {
			dir = "setup.go"
		}
		return slices.IndexFunc(rows, func(row string) bool {
			return dir == row || strings.HasPrefix(row, "deploy/") && strings.HasPrefix(dir, row+"/")
		})
	}
	for _, name := range rows {
		if !exists(name) {
			t.Errorf("there is no %s", name)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(importsOf(t))) {
		if row(dir) < 0 {
			t.Errorf("package %s has no line", dir)
		}
		for _, imported := range mayImport[dir] {
			if row(imported) <= row(dir) {
				t.Errorf("%s may import %s, which does not stand below it", dir, imported)
			}
		}
	}
}
