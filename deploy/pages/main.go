// Command pages makes of the documents what is published elsewhere: the manuals, the page
// among CoreDNS's external plugins and, in the folder doc, what packages and archives have.
//
//	go run ./deploy/pages VERSION DIR
//
// It runs at the top of the repository, and writes them into DIR, with the date
// SOURCE_DATE_EPOCH, or else today's.
package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	md2man     = "github.com/cpuguy83/go-md2man/v2@v2.0.7"
	repository = "https://github.com/dnsmus/dnsmus"
	reference  = "docs/reference.md"
)

// plugin lists what coredns-dnsmus(7) has of the documents: a section of one, or all of
// it as a section.
var plugin = [][2]string{
	{reference, "Name"}, {reference, "Description"}, {reference, "Syntax"},
	{"README.md", "Configure"}, {reference, "Examples"}, {"README.md", "Risks"},
	{"docs/behaviour.md"}, {"docs/links.md"}, {"docs/learning.md"},
	{reference, "Metadata"}, {reference, "Logs and traces"}, {reference, "Metrics"}, {reference, "Ready"}, {reference, "Bugs"}, {reference, "See Also"},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: go run ./deploy/pages VERSION DIR")
	}
	if err := write(os.Args[1], os.Args[2], date()); err != nil {
		log.Fatal(err)
	}
}

// date is the date that the pages bear.
func date() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Now().UTC()
}

// write makes all pages in a directory.
func write(version, dir string, date time.Time) error {
	about, err := pluginManual()
	if err != nil {
		return err
	}
	command, err := os.ReadFile("docs/command.md")
	if err != nil {
		return err
	}
	hook, err := os.ReadFile("docs/dnsmus-resolv.md")
	if err != nil {
		return err
	}
	inUse, err := os.ReadFile("docs/dnsmus-default.md")
	if err != nil {
		return err
	}
	for _, page := range []struct{ name, section, manual, text string }{
		{"COREDNS-DNSMUS", "7", "CoreDNS Plugins", about},
		{"DNSMUS", "8", "System Administration", programManual(string(command))},
		{"DNSMUS-DEFAULT", "8", "System Administration", programManual(string(inUse))},
		{"DNSMUS-RESOLV", "8", "System Administration", programManual(string(hook))},
	} {
		head := fmt.Sprintf("# %s %s \"%s\" \"dnsmus %s\" \"%s\"\n\n", page.name, page.section, date.Format("January 2006"), version, page.manual)
		roff, err := toRoff(head + forTerminal(page.text))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, strings.ToLower(page.name)+"."+page.section), roff, 0o644); err != nil {
			return err
		}
	}
	if err := writeTree(version, filepath.Join(dir, "doc")); err != nil {
		return err
	}
	page, err := corednsPage(date)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "coredns.io.md"), []byte(page), 0o644)
}

// pluginManual puts the documents on the plugin together.
func pluginManual() (string, error) {
	var b strings.Builder
	for _, part := range plugin {
		text, err := os.ReadFile(part[0])
		if err != nil {
			return "", err
		}
		if part[1] == "" {
			b.WriteString(strings.ReplaceAll("\n"+string(text), "\n#", "\n##") + "\n")
			continue
		}
		body, err := section(string(text), part[1])
		if err != nil {
			return "", fmt.Errorf("%s: %w", part[0], err)
		}
		b.WriteString("## " + part[1] + "\n" + body + "\n")
	}
	return b.String(), nil
}

// section returns what a document has below a heading.
func section(text, title string) (string, error) {
	_, text, found := strings.Cut(text, "\n## "+title+"\n")
	if !found {
		return "", fmt.Errorf("there is no section %s", title)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text, nil
}

// programManual is a document without its title, which manuals have at another place.
// Items that begin with a term, such as an option, become what manuals have for that.
func programManual(text string) string {
	_, text, _ = strings.Cut(text, "\n")
	return term.ReplaceAllString(text, "\n$1\n: ")
}

var (
	image   = regexp.MustCompile(`(?s)!\[[^\]]*\]\([^)]*\)\n*`)
	link    = regexp.MustCompile(`\[([^\]]*)\]\(([^)\s]*)\)`)
	heading = regexp.MustCompile(`(?m)^## .*$`)
	term    = regexp.MustCompile("(?m)^\\* ((?:`|\\*\\*).{1,60}?): ")
)

// forTerminal leaves out what a manual cannot show: pictures, and links to the other
// documents, which become their text.
func forTerminal(text string) string {
	text = link.ReplaceAllStringFunc(image.ReplaceAllString(text, ""), func(s string) string {
		parts := link.FindStringSubmatch(s)
		if strings.HasPrefix(parts[2], "http") {
			return parts[1] + " (" + parts[2] + ")"
		}
		return parts[1]
	})
	return heading.ReplaceAllStringFunc(text, strings.ToUpper)
}

// toRoff turns Markdown into a manual.
func toRoff(text string) ([]byte, error) {
	cmd := exec.Command("go", "run", md2man)
	cmd.Stdin = strings.NewReader(text)
	cmd.Stderr = os.Stderr
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	return out.Bytes(), nil
}

// corednsPage is the reference as CoreDNS has it, with the plugin's name and date in a
// head, and links that lead back to the repository.
func corednsPage(date time.Time) (string, error) {
	text, err := os.ReadFile(reference)
	if err != nil {
		return "", err
	}
	name, err := section(string(text), "Name")
	if err != nil {
		return "", err
	}
	_, body, found := strings.Cut(string(text), "\n## Description\n")
	if !found {
		return "", fmt.Errorf("%s: there is no section Description", reference)
	}
	body = link.ReplaceAllStringFunc(body, func(s string) string {
		parts := link.FindStringSubmatch(s)
		if strings.HasPrefix(parts[2], "http") {
			return s
		}
		return "[" + parts[1] + "](" + repository + "/blob/main/" + path.Join(path.Dir(reference), parts[2]) + ")"
	})
	return fmt.Sprintf(`+++
title = "dnsmus"
description = %q
weight = 10
tags = [ "plugin", "dnsmus" ]
categories = [ "plugin", "external" ]
date = %q
repo = %q
home = %q
+++

## Description
%s`, strings.TrimSpace(name), date.Format(time.RFC3339), repository, repository+"/blob/main/README.md", body), nil
}
