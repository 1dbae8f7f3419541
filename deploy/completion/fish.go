package main

import (
	"fmt"
	"strings"
)

// fish completes by one line for each flag.
func fish(all []command) string {
	var b, words strings.Builder
	for _, c := range all[1:] {
		words.WriteString(" " + c.word)
	}
	fmt.Fprintf(&b, "# Completion of %s for fish, made of its help.\n\n", name)
	for _, c := range all {
		when := "__fish_seen_subcommand_from " + c.word
		if c.word == "" {
			when = "not __fish_seen_subcommand_from" + words.String()
		} else {
			fmt.Fprintf(&b, "\ncomplete -c %s -n __fish_use_subcommand -a %s -d %s\n", name, c.word, fishQuote(c.about))
			fmt.Fprintf(&b, "complete -c %s -n %s -f\n", name, quote(when))
		}
		if c.types {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", name, quote(when), quote(types))
		}
		for _, o := range c.flags {
			fmt.Fprintf(&b, "complete -c %s -n %s%s%s -d %s\n", name, quote(when), fishNames(o), fishArg(o), fishQuote(o.about))
		}
	}
	return b.String()
}

// fishNames are the names of a flag, with two hyphens or one. None is a short one as fish has
// them: those take a value without a blank, so that -pid would be -p id.
func fishNames(o option) string {
	var b strings.Builder
	for _, flag := range o.names {
		if long, isLong := strings.CutPrefix(flag, "--"); isLong {
			b.WriteString(" -l " + long)
		} else {
			b.WriteString(" -o " + flag[1:])
		}
	}
	return b.String()
}

// fishArg says what a flag takes.
func fishArg(o option) string {
	switch choices := o.choices(); {
	case o.arg == "":
		return ""
	case o.file():
		return " -r -F"
	case choices != nil:
		return " -x -a " + quote(strings.Join(choices, " "))
	}
	return " -x"
}

// fishQuote quotes a text for fish, which knows escapes between single quotes.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}
