package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
	options "github.com/dnsmus/dnsmus/plugin/option"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Each flag is read from the help, and explain has those of the options' table.
func TestCommands(t *testing.T) {
	all, err := commands(testkit.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(c command) bool { return c.word == "explain" })
	if at < 1 || all[at].about == "" || !all[at].types {
		t.Fatalf("explain is not known: %+v", all)
	}
	for _, o := range options.Table {
		known := func(f option) bool {
			return f.names[0] == "--"+o.Flag && (f.arg != "") == (o.Args != "") && f.about != ""
		}
		if o.Flag != "" && !slices.ContainsFunc(all[at].flags, known) {
			t.Errorf("explain --%s is not read right", o.Flag)
		}
	}
	if !slices.ContainsFunc(all[0].flags, func(f option) bool { return f.names[0] == "-conf" && f.file() }) {
		t.Errorf("-conf is not known: %+v", all[0])
	}
}

// The shells offer each word, each flag of it, and what flags take.
func TestShells(t *testing.T) {
	program, dir := testkit.Binary(t), t.TempDir()
	if err := write(program, dir); err != nil {
		t.Fatal(err)
	}
	all, err := commands(program)
	if err != nil {
		t.Fatal(err)
	}
	type line struct{ typed, offers string } // one that is offered
	lines := []line{{"dnsmus explain --prefer ", "order"}, {"dnsmus -log-format ", "json"}, {"dnsmus explain www.example AA", "AAAA"}, {"dnsmus -conf corefile", "corefile-here"}}
	for _, c := range all {
		before := strings.TrimSuffix("dnsmus "+c.word, " ")
		if c.word != "" {
			lines = append(lines, line{before, c.word})
		}
		for _, o := range c.flags {
			for _, flag := range o.names {
				if len(flag) > 2 {
					lines = append(lines, line{before + " " + flag[:3], flag})
				}
			}
		}
	}
	for shell, offered := range map[string]func(t *testing.T, dir, typed string) string{"bash": inBash, "fish": inFish, "zsh": inZsh} {
		t.Run(shell, func(t *testing.T) {
			testkit.Need(t, false, shell)
			t.Parallel()
			for _, l := range lines {
				if got := offered(t, dir, l.typed); !slices.Contains(strings.Fields(got), l.offers) {
					t.Errorf("%q: %q is not offered:\n%s", l.typed, l.offers, got)
				}
			}
		})
	}
}

// here runs a shell in a directory with a file.
func here(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "corefile-here"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=dumb")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", args[0], err)
	}
	return string(out)
}

func inBash(t *testing.T, dir, typed string) string {
	const script = `. "$1/dnsmus.bash" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _dnsmus 2>/dev/null; printf '%s\n' "${COMPREPLY[@]}"`
	return here(t, append([]string{"bash", "-c", script, "bash", dir}, strings.Split(typed, " ")...)...)
}

// fish shows the description after the word.
func inFish(t *testing.T, dir, typed string) string {
	return here(t, "fish", "--no-config", "-c", `source $argv[1]/dnsmus.fish; complete --do-complete $argv[2]`, dir, typed)
}

// zsh completes in a terminal only. It has said all when it has run the command that is typed
// after the line was wiped.
func inZsh(t *testing.T, dir, typed string) string {
	const script = `zmodload zsh/zpty && zpty z zsh -f -i
zpty -w z "PS1='GO-''ON '; stty rows 500 cols 250; LISTMAX=-1; unset zle_bracketed_paste; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -r z said '*GO-ON*'
zpty -wn z "$2"$'\t\t'
zpty -wn z $'\C-u'; zpty -w z "echo that-is''-all"
while zpty -r z said; do print -r -- "$said"; [[ $said == *that-is-all* ]] && break; done`
	return here(t, "zsh", "-f", "-c", script, "zsh", dir, typed)
}
