// Package docs_test holds the project's documents to its code.
package docs_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dnsmus/dnsmus"

// tree is the repository.
var tree = os.DirFS("../..")

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// files lists the repository's files with that ending.
func files(t *testing.T, ending string) (names []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case !d.IsDir() && strings.HasSuffix(name, ending):
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

var (
	stated   = regexp.MustCompile(`(?m)^\*\*(R[0-9]+)\.\*\* `)
	cited    = regexp.MustCompile(`\b(?:Test)?(R[0-9]+)(?:\b|[A-Z])`)
	nameOf   = regexp.MustCompile(`(?:func Test|")(R[0-9]+)[A-Z: ]`) // a test's, or a case's
	inTicks  = regexp.MustCompile("`([^`\n]+)`")
	linkedTo = regexp.MustCompile(`\]\(([^)#\s]*)(#[^)]*)?\)`)
)

// matches returns what the group of a pattern matches in a text.
func matches(pattern *regexp.Regexp, text string) (words []string) {
	for _, m := range pattern.FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	return words
}

// Each rule that is cited is stated in DESIGN.md; and each that is stated there is
// cited where it is kept, and has a test by its name.
func TestRules(t *testing.T) {
	rules := matches(stated, read(t, "DESIGN.md"))
	if len(rules) == 0 {
		t.Fatal("DESIGN.md states no rules")
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(rules))); len(unique) != len(rules) {
		t.Errorf("a rule is stated twice: %s", rules)
	}
	kept, tested := make(map[string]bool), make(map[string]bool)
	for _, name := range slices.Concat(files(t, ".go"), files(t, ".md")) {
		text := read(t, name)
		for _, rule := range matches(cited, text) {
			if !slices.Contains(rules, rule) {
				t.Errorf("%s cites %s, which DESIGN.md does not state", name, rule)
			}
			if strings.HasPrefix(name, "plugin/") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
				kept[rule] = true
			}
		}
		if strings.HasSuffix(name, "_test.go") {
			for _, rule := range matches(nameOf, text) {
				tested[rule] = true
			}
		}
	}
	for _, rule := range rules {
		if !kept[rule] {
			t.Errorf("%s is cited nowhere below plugin; cite it in a comment where it is kept", rule)
		}
		if !tested[rule] {
			t.Errorf("%s has no test; begin a test's name with Test%[1]s, or a case's with %[1]s", rule)
		}
	}
}

// What DESIGN.md names is there: files and folders by their path, tests by name.
func TestDesignNames(t *testing.T) {
	text := read(t, "DESIGN.md")
	var names []string
	for _, word := range matches(inTicks, text) {
		first, _, _ := strings.Cut(word, "/")
		if file := strings.HasSuffix(word, ".go") || strings.HasSuffix(word, ".md"); file || exists(first) && !strings.Contains(word, " ") {
			names = append(names, word)
		}
	}
	if len(names) == 0 {
		t.Error("no file is named")
	}
	for _, name := range names {
		if !exists(name) {
			t.Errorf("there is no %s", name)
		}
	}
	var tests strings.Builder
	for _, name := range files(t, "_test.go") {
		tests.WriteString(read(t, name))
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(text, -1) {
		if !strings.Contains(tests.String(), "func "+name+"(") {
			t.Errorf("there is no %s", name)
		}
	}
}

func exists(name string) bool {
	_, err := fs.Stat(tree, name)
	return err == nil
}

// Links between documents lead somewhere: to a file and, in a document, to a heading.
func TestLinks(t *testing.T) {
	for _, name := range files(t, ".md") {
		for _, link := range linkedTo.FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(link[1], ":") {
				continue // to elsewhere
			}
			to := path.Join(path.Dir(name), link[1])
			if link[1] == "" {
				to = name
			}
			switch {
			case !exists(to):
				t.Errorf("%s: there is no %s", name, to)
			case link[2] != "" && !slices.Contains(anchors(read(t, to)), link[2]):
				t.Errorf("%s: %s has no heading for %s", name, to, link[2])
			}
		}
	}
}

// anchors are what links call a document's headings, on GitHub and elsewhere.
func anchors(text string) (names []string) {
	for _, heading := range matches(regexp.MustCompile(`(?m)^#+ (.*)$`), text) {
		name := regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(heading), "")
		names = append(names, "#"+strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
