package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The manual of the plugin has all of the reference but what is about the sources.
func TestPluginManual(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, heading := range regexp.MustCompile(`(?m)^## (.*)$`).FindAllStringSubmatch(string(text), -1) {
		if heading[1] != "Compilation" && !slices.Contains(plugin, [2]string{reference, heading[1]}) {
			t.Errorf("the manual lacks section %s of %s", heading[1], reference)
		}
	}
	manual, err := pluginManual()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n## Syntax\n", "\n## Configure\n", "\n## Behaviour\n", "\n### How a race goes\n", "\n## Risks\n", "\n## See Also\n"} {
		if !strings.Contains(manual, want) {
			t.Errorf("there is no %q", want)
		}
	}
}

func TestForTerminal(t *testing.T) {
	const text = "## Read on\n\n![A\nrace](race.svg)\n\nSee [Links](links.md#a) and [RFC\n1](https://rfc.example/1).\n"
	if got, want := forTerminal(text), "## READ ON\n\nSee Links and RFC\n1 (https://rfc.example/1).\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// In the tree of documents that packages have, each link leads to one of them or to the
// repository.
func TestTree(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	if err := writeTree("0.9.0", dir); err != nil {
		t.Fatal(err)
	}
	documents, elsewhere := 0, 0
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".md" {
			return err
		}
		documents++
		text, err := os.ReadFile(name)
		for _, l := range link.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(l[2], "#")
			if strings.Contains(to, "://") {
				if strings.HasPrefix(to, repository+"/blob/v0.9.0/") {
					elsewhere++
				}
			} else if _, err := os.Stat(filepath.Join(filepath.Dir(name), to)); to != "" && err != nil {
				t.Errorf("%s: %s leads nowhere", name, l[0])
			}
		}
		return err
	})
	if err != nil || documents < 10 || elsewhere == 0 {
		t.Errorf("%d documents, %d links to the repository, %v", documents, elsewhere, err)
	}
}

func TestRelink(t *testing.T) {
	there := map[string]bool{"docs": true, "docs/a.md": true, "README.md": true}
	for text, want := range map[string]string{
		"[a](a.md#b)": "[a](a.md#b)", "[a](#b)": "[a](#b)", "[r](../README.md)": "[r](../README.md)", "[x](https://x.example/)": "[x](https://x.example/)",
		"[b](../bench/README.md#c)": "[b](" + repository + "/blob/main/bench/README.md#c)", "![p](p.svg)": "![p](" + repository + "/blob/main/docs/p.svg)",
		"[d](../docs)": "[d](../docs)",
	} {
		if got := relink("docs/b.md", text, tag("0.0.0+4.gabc"), there); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}

func TestProgramManual(t *testing.T) {
	const text = "# Title\n\n* **-h**: help: this\n* an item: none\n"
	if got, want := programManual(text), "\n\n**-h**\n: help: this\n* an item: none\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The page for coredns.io has the head that its kind has, names the plugin as the
// reference does, and links to the repository.
func TestCorednsPage(t *testing.T) {
	t.Chdir("../..")
	page, err := corednsPage(time.Unix(1778000000, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.SplitN(page, "+++\n", 3)
	if len(parts) != 3 || parts[0] != "" {
		t.Fatal("there is no head between lines of +++")
	}
	head := make(map[string]string)
	for line := range strings.Lines(parts[1]) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		head[key] = strings.Trim(value, `"`)
	}
	for _, key := range []string{"title", "description", "weight", "tags", "categories", "date", "repo", "home"} {
		if head[key] == "" {
			t.Errorf("the head lacks %s", key)
		}
	}
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "\n## Name\n\n"+head["description"]+"\n") {
		t.Errorf("the description is %q, which %s does not have for a name", head["description"], reference)
	}
	for _, to := range link.FindAllStringSubmatch(parts[2], -1) {
		if !strings.HasPrefix(to[2], "https://") {
			t.Errorf("%s leads nowhere from elsewhere", to[0])
		}
	}
	if want := "](" + repository + "/blob/main/docs/behaviour.md"; !strings.Contains(parts[2], want) {
		t.Errorf("there is no link %s", want)
	}
}
