package main

import (
	"fmt"
	"strings"
)

// bash completes by a function that needs nothing of the package bash-completion, and runs in
// bash 3.2, which macOS has.
func bash(all []command) string {
	var b, words, takes strings.Builder
	for _, c := range all[1:] {
		words.WriteString(" " + c.word)
	}
	for _, c := range all {
		for _, o := range c.flags {
			pattern := "'" + c.word + " " + strings.Join(o.names, "' | '"+c.word+" ") + "'"
			switch choices := o.choices(); {
			case o.arg == "":
			case o.file():
				fmt.Fprintf(&takes, "    %s) files=1 ;;\n", pattern)
			case choices != nil:
				fmt.Fprintf(&takes, "    %s) choices=%s ;;\n", pattern, quote(strings.Join(choices, " ")))
			default:
				fmt.Fprintf(&takes, "    %s) return ;;\n", pattern)
			}
		}
	}
	fmt.Fprintf(&b, `# Completion of %[1]s for bash, made of its help.

_%[1]s() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word= files= choices=
    COMPREPLY=()
    (( COMP_CWORD > 1 )) && word=${COMP_WORDS[1]}
    # bash takes --flag=value for three words, and @links for two.
    if [[ $cur == = ]]; then
        cur=
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    case $word in
    %[2]s) ;;
    *) word= ;;
    esac
    case "$word $prev" in
%[3]s    *' @') choices=links ;;
    *)
        case $word in
`, name, strings.ReplaceAll(strings.TrimSpace(words.String()), " ", " | "), takes.String())
	for _, c := range append(all[1:], all[0]) {
		var flags []string
		for _, o := range c.flags {
			flags = append(flags, o.names...)
		}
		word, plain := c.word, ""
		switch {
		case word == "":
			word, plain = "*", "links"
		case c.types:
			plain = types
		}
		fmt.Fprintf(&b, "        %s)\n            choices=%s\n            [[ $cur == -* ]] && choices=%s\n            ;;\n", word, quote(plain), quote(strings.Join(flags, " ")))
	}
	fmt.Fprintf(&b, `        esac
        [[ $word ]] || files=1
        (( COMP_CWORD == 1 )) && [[ $cur != -* ]] && choices=%[2]s files=
        ;;
    esac
    local IFS=$'\n'
    COMPREPLY=($(IFS=' '; compgen -W "$choices" -- "$cur"))
    if [[ $files && $cur != -* ]]; then
        type compopt >/dev/null 2>&1 && compopt -o filenames
        COMPREPLY+=($(compgen -f -- "$cur"))
    fi
}
complete -F _%[1]s %[1]s
`, name, quote(strings.TrimSpace(words.String())))
	return b.String()
}
