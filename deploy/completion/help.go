package main

import (
	"regexp"
	"slices"
	"strings"
)

// command is what may follow the program's name, or one of its words.
type command struct {
	word  string // empty: the program itself
	about string
	flags []option
	types bool // it takes types of records
}

// option is a flag.
type option struct {
	names []string // with hyphens, the short one first
	arg   string   // what it takes; empty: nothing
	about string
}

var (
	wordLine = regexp.MustCompile(`(?m)^(?:Usage:| {6}) ` + name + ` ([a-z]+)\b`)
	flagLine = regexp.MustCompile(`^  (-[-.\w]+)(?:, (-[-.\w]+))?(?: (\S+))?(?:(?: {2,}|\t)(.*))?$`)
	sentence = regexp.MustCompile(`(?s)\n\n(.+?)(?:[.,:;]\s|\n\n)`)
)

// words are the words of the program, from its help.
func words(help string) (all []string) {
	for _, match := range wordLine.FindAllStringSubmatch(help, -1) {
		if !slices.Contains(all, match[1]) {
			all = append(all, match[1])
		}
	}
	return all
}

// read takes from the help of a word what can be completed.
func read(word, help string) command {
	usage, _, _ := strings.Cut(help, "\n\n")
	c := command{word: word, types: word != "" && strings.Contains(usage, "TYPE")}
	if about := sentence.FindStringSubmatch(help); about != nil {
		c.about = strings.Join(strings.Fields(about[1]), " ")
	}
	describes := false // the last line belongs to a flag
	for line := range strings.Lines(help) {
		line = strings.TrimRight(line, "\n")
		match := flagLine.FindStringSubmatch(line)
		switch {
		case match != nil:
			o := option{names: []string{match[1]}, arg: match[3], about: match[4]}
			if match[2] != "" {
				o.names = append(o.names, match[2])
			}
			c.flags = append(c.flags, o)
			describes = true
		case describes && strings.HasPrefix(line, "    "):
			last := &c.flags[len(c.flags)-1]
			last.about = strings.TrimSpace(last.about + " " + strings.TrimSpace(line))
		default:
			describes = false
		}
	}
	return c
}

// file reports whether the argument is the name of a file.
func (o option) file() bool {
	return slices.Contains([]string{"FILE", "COREFILE", "PATH"}, o.arg) || slices.Contains([]string{"-conf", "-pidfile"}, o.names[0])
}

// choices are the words that the argument may be.
func (o option) choices() (all []string) {
	if o.names[0] == "-log-format" {
		return []string{"text", "json"}
	}
	if !strings.Contains(o.arg, "|") {
		return nil
	}
	for word := range strings.SplitSeq(o.arg, "|") {
		if word == strings.ToLower(word) {
			all = append(all, word)
		}
	}
	return all
}

// repeats reports whether the flag may be given more than once.
func (o option) repeats() bool { return strings.Contains(o.about, "may be repeated") }

// types are the types that people ask for.
const types = "A AAAA CAA CNAME DS HTTPS MX NAPTR NS PTR SOA SRV SVCB TLSA TXT"

// quote puts a text between single quotes.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
