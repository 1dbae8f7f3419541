package option

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// syntax is the section of docs/reference.md on the stanza.
func syntax(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Syntax\n")
	if !found {
		t.Fatal("docs/reference.md has no section Syntax")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// The reference shows each option in a stanza, as the table has it, and no other.
func TestReferenceStanza(t *testing.T) {
	block := regexp.MustCompile(`(?s)\ndnsmus \[TO\.\.\.\] \{\n(.*?)\n\}`).FindStringSubmatch(syntax(t))
	if block == nil {
		t.Fatal("there is no stanza with options")
	}
	var got, want []string
	for line := range strings.Lines(block[1]) {
		got = append(got, strings.TrimSpace(line))
	}
	for _, o := range Table {
		want = append(want, o.Usage())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("docs/reference.md has\n%q, and the table\n%q", got, want)
	}
}

// The reference describes each option, with its arguments and default, and no other.
func TestReferenceOptions(t *testing.T) {
	items := make(map[string]string) // by name, white space made single
	for _, item := range strings.Split(syntax(t), "\n* ")[1:] {
		item, _, _ = strings.Cut(item, "\n\n")
		if name, ok := strings.CutPrefix(item, "`"); ok && !strings.HasPrefix(name, "/") { // else a file
			name, rest, _ := strings.Cut(name, "`")
			items[name] = strings.Join(strings.Fields(rest), " ")
		}
	}
	words := regexp.MustCompile(`[A-Z]+(\.\.\.)?`)
	for _, o := range Table {
		item, ok := items[o.Name]
		if !ok {
			t.Errorf("%s is not described", o.Name)
			continue
		}
		delete(items, o.Name)
		args := o.Args
		switch {
		case args == "answer|qtype": // words to be written as they are
			for word := range strings.SplitSeq(args, "|") {
				if !strings.Contains(item, "`"+word+"`") {
					t.Errorf("%s: %s is not described", o.Name, word)
				}
			}
		case !strings.HasPrefix(item, words.ReplaceAllString(args, "**$0**")):
			t.Errorf("%s is not followed by %s: %s", o.Name, args, item)
		}
		stated := strings.Contains(item, "default")
		right := regexp.MustCompile(fmt.Sprintf("The default is %[1]s\\b|`%[1]s`, the default,", o.Default)).MatchString(item)
		if stated != (o.Default != "") || stated && !right {
			t.Errorf("%s: the default is %q, and docs/reference.md says: %s", o.Name, o.Default, item)
		}
	}
	for name := range items {
		t.Errorf("there is no option %s", name)
	}
}

// The manual of explain has each option that is a flag.
func TestManual(t *testing.T) {
	text, err := os.ReadFile("../../docs/command.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Explain\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, o := range Table {
		if o.Flag != "" && !strings.Contains(section, "**--"+o.Flag+"**") {
			t.Errorf("docs/command.md has no --%s under Explain", o.Flag)
		}
	}
}
