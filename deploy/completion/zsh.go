package main

import (
	"fmt"
	"strings"
)

// zsh completes by _arguments, with what the flags are for.
func zsh(all []command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#compdef %[1]s\n# Completion of %[1]s for zsh, made of its help.\n\n_%[1]s() {\n    if (( CURRENT > 2 )); then\n        case $words[2] in\n", name)
	for _, c := range all[1:] {
		rest := "'*: : '"
		if c.types {
			rest = quote("1:name: ") + " " + quote("*:type:("+types+")")
		}
		fmt.Fprintf(&b, "        %s)\n            shift words\n            (( CURRENT-- ))\n            _arguments -S%s \\\n                %s\n            return\n            ;;\n", c.word, zshFlags(c), rest)
	}
	var words strings.Builder
	for _, c := range all[1:] {
		fmt.Fprintf(&words, " %s\\:%s", c.word, quoteInner(c.about))
	}
	fmt.Fprintf(&b, "        esac\n    fi\n    _arguments -S%s \\\n        %s \\\n        '*:upstream:_files'\n}\n\n_%s \"$@\"\n",
		zshFlags(all[0]), quote("1:command or port:(("+strings.TrimSpace(words.String())+"))"), name)
	return b.String()
}

// zshFlags are the flags as _arguments takes them.
func zshFlags(c command) string {
	var b strings.Builder
	for _, o := range c.flags {
		for _, flag := range o.names {
			spec := flag + "[" + strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(o.about) + "]"
			if o.repeats() {
				spec = "*" + spec
			}
			switch choices := o.choices(); {
			case o.arg == "":
			case o.file():
				spec += ":file:_files"
			case choices != nil:
				spec += ":value:(" + strings.Join(choices, " ") + ")"
			default:
				spec += ":value: "
			}
			b.WriteString(" \\\n                " + quote(spec))
		}
	}
	return b.String()
}

// quoteInner escapes a text within ((...)) of _arguments.
func quoteInner(text string) string {
	return strings.NewReplacer(`\`, `\\`, ":", `\:`, " ", `\ `, "(", `\(`, ")", `\)`, "'", `\'`).Replace(text)
}
