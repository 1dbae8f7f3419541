package main

import (
	"os"
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
