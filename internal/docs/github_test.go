package docs_test

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// parse reads one of GitHub's files.
func parse(t *testing.T, name string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, name)), into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// What workflows call is in the repository. That they are well-formed otherwise is
// checked by actionlint, in .ci/run.
func TestWorkflows(t *testing.T) {
	var called []string
	for _, name := range files(t, ".yml") {
		if path.Dir(name) != ".github/workflows" {
			continue
		}
		var workflow struct {
			Jobs map[string]struct {
				Uses  string
				Steps []struct {
					Uses, Run string
					With      map[string]any
				}
			}
		}
		parse(t, name, &workflow)
		for _, job := range workflow.Jobs {
			words := []string{job.Uses}
			for _, step := range job.Steps {
				file, _ := step.With["go-version-file"].(string)
				words = append(words, step.Uses, file)
				words = append(words, strings.Fields(step.Run)...)
			}
			for _, word := range words {
				first, _, isPath := strings.Cut(strings.TrimPrefix(word, "./"), "/")
				if isPath && exists(first) || strings.HasPrefix(word, "./") || strings.Contains(word, ".mod") || strings.HasSuffix(word, ".md") {
					called = append(called, word)
				}
			}
		}
	}
	for _, word := range called {
		if !exists(path.Clean(word)) {
			t.Errorf("there is no %s", word)
		}
	}
	for _, word := range []string{".ci/run", "deploy/release"} {
		if !slices.Contains(called, word) {
			t.Errorf("no workflow calls %s", word)
		}
	}
}

// Dependabot looks after each module.
func TestDependabot(t *testing.T) {
	var config struct {
		Updates []struct {
			Ecosystem   string `yaml:"package-ecosystem"`
			Directories []string
		}
	}
	parse(t, ".github/dependabot.yml", &config)
	var modules, updated []string
	for _, name := range files(t, "go.mod") {
		modules = append(modules, path.Join("/", path.Dir(name)))
	}
	for _, update := range config.Updates {
		if update.Ecosystem == "gomod" {
			updated = append(updated, update.Directories...)
		}
	}
	slices.Sort(modules)
	if slices.Sort(updated); !slices.Equal(updated, modules) {
		t.Errorf("modules are %s, and updated are %s", modules, updated)
	}
}

// The issue form asks for what helps to find a bug, and its commands are there.
func TestIssueForm(t *testing.T) {
	const name = ".github/ISSUE_TEMPLATE/bug.yml"
	var form struct {
		Name, Description string
		Body              []struct {
			Type, ID   string
			Attributes struct{ Label, Value string }
		}
	}
	parse(t, name, &form)
	var asked []string
	for _, field := range form.Body {
		switch {
		case field.Type == "markdown":
			if field.Attributes.Value == "" {
				t.Error("a text is empty")
			}
		case !slices.Contains([]string{"input", "textarea"}, field.Type) || field.Attributes.Label == "" || slices.Contains(asked, field.ID):
			t.Errorf("this is no field of its own: %+v", field)
		default:
			asked = append(asked, field.ID)
		}
	}
	if form.Name == "" || form.Description == "" {
		t.Error("the form has no name, or no description")
	}
	for _, id := range []string{"expected", "explain", "version", "corefile", "upstreams"} {
		if !slices.Contains(asked, id) {
			t.Errorf("it does not ask for %s", id)
		}
	}
	for _, command := range matches(regexp.MustCompile("`(?:dnsmus|coredns) (\\w+)"), read(t, name)) {
		if !exists("cmd/coredns/" + command) {
			t.Errorf("there is no command %s", command)
		}
	}
}

// Links to the repository from outside of it lead somewhere.
func TestLinksFromOutside(t *testing.T) {
	inside := regexp.MustCompile(`https://github\.com/dnsmus/dnsmus/(?:blob|tree)/main/([^)#"\s]+)`)
	for _, name := range slices.Concat(files(t, ".md"), files(t, ".yml"), files(t, ".yaml")) {
		for _, to := range matches(inside, read(t, name)) {
			if !exists(to) {
				t.Errorf("%s: there is no %s", name, to)
			}
		}
	}
}
