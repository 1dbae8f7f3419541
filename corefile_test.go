package dnsmus

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"

	"github.com/dnsmus/dnsmus/plugin/handler"
)

func TestCorefileExample(t *testing.T) {
	text, err := os.ReadFile("Corefile.example")
	if err != nil {
		t.Fatal(err)
	}
	checkCorefile(t, "Corefile.example", string(text))
}

var fenced = regexp.MustCompile("(?ims)^(?:~~~|```) *corefile *$(.*?)^(?:~~~|```) *$")

// Each Corefile in README.md and docs is one that CoreDNS takes.
func TestDocumentedCorefiles(t *testing.T) {
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "README.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := fenced.FindAllSubmatchIndex(text, -1)
		if len(found) == 0 && name == "README.md" {
			t.Error("README.md has no block fenced as corefile")
		}
		for _, at := range found {
			// Empty lines in front make errors name the line in the document.
			before := strings.Repeat("\n", bytes.Count(text[:at[2]], []byte("\n")))
			checkCorefile(t, name, before+string(text[at[2]:at[3]]))
		}
	}
}

// checkCorefile reads a Corefile as CoreDNS does, its dnsmus stanzas wholly and
// those of other plugins as far as their names.
func checkCorefile(t *testing.T, name, text string) {
	t.Helper()
	directives := append(slices.Clone(dnsserver.Directives), handler.Name)
	blocks, err := caddyfile.Parse(name, strings.NewReader(text), directives)
	if err != nil {
		t.Error(err)
		return
	}
	file := filepath.Join(writeFiles(t, "resolv.conf", "nameserver 192.0.2.1\n"), "resolv.conf")
	stanzas := 0
	for _, block := range blocks {
		tokens := block.Tokens[handler.Name]
		if len(tokens) == 0 {
			continue
		}
		stanzas++
		c := caddy.NewTestController("dns", "")
		c.Dispenser = caddyfile.NewDispenserTokens(name, replaceFiles(tokens, file))
		if _, err := parseStanza(c); err != nil {
			t.Error(err)
		}
	}
	if stanzas == 0 {
		t.Errorf("%s: Corefile has no dnsmus stanza:\n%s", name, strings.TrimSpace(text))
	}
}

// replaceFiles puts file in place of those files of a stanza that need not exist
// where the test runs: absolute ones, and the default one.
func replaceFiles(stanza []caddyfile.Token, file string) []caddyfile.Token {
	to := stanza[:1:1]
	for _, word := range stanza[1:] {
		if word.Line != stanza[0].Line || word.Text == "{" {
			break
		}
		if filepath.IsAbs(word.Text) {
			word.Text = file
		}
		to = append(to, word)
	}
	rest := stanza[len(to):]
	if len(to) == 1 {
		to = append(to, caddyfile.Token{File: stanza[0].File, Line: stanza[0].Line, Text: file})
	}
	return slices.Concat(to, rest)
}
