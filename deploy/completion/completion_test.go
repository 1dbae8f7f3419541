//go:build linux

package main

import (
	"context"
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
	var typed []string
	for _, l := range lines {
		typed = append(typed, l.typed)
	}
	for shell, script := range map[string]string{"bash": inBash, "fish": inFish, "zsh": inZsh} {
		t.Run(shell, func(t *testing.T) {
			testkit.Need(t, false, shell)
			t.Parallel()
			offered := strings.Split(run(t, shell, script, dir, typed), separator)
			for i, l := range lines {
				if i >= len(offered)-1 || !slices.Contains(strings.Fields(offered[i]), l.offers) {
					t.Errorf("%q: %q is not offered:\n%s", l.typed, l.offers, offered[min(i, len(offered)-1)])
				}
			}
		})
	}
}

// run has a shell say what it offers for each line, in a directory with a file.
func run(t *testing.T, shell, script, dir string, lines []string) string {
	t.Helper()
	here := t.TempDir()
	if err := os.WriteFile(filepath.Join(here, "corefile-here"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(here, "script")
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell, append([]string{file, dir}, lines...)...)
	cmd.Dir, cmd.WaitDelay = here, testkit.Patience
	cmd.Env = append(os.Environ(), "HOME="+here, "ZDOTDIR="+here, "TERM=dumb")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

// separator ends what is offered for a line.
const separator = "that-is-all\n"

const inBash = `. "$1/dnsmus.bash" && shift
for line; do
    IFS=' ' read -ra COMP_WORDS <<<"$line"
    [[ $line == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _dnsmus 2>/dev/null
    printf '%s\n' "${COMPREPLY[@]}" that-is-all
done`

// fish shows the description after the word.
const inFish = `source $argv[1]/dnsmus.fish
for line in $argv[2..]
    complete --do-complete $line
    echo that-is-all
end`

// zsh completes in the line editor of a terminal only. There each line is put and completed as
// soon as the editor has begun, and what is offered goes to a file.
const inZsh = `cat >.zshrc <<'END'
fpath=($ZDOTDIR $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
    local -a offered
    [[ ${@[1,(i)-]} == *-[OAD]* ]] || { builtin compadd -O offered "$@"; print -rl -- $offered >>offered }
    builtin compadd "$@"
}
zle -C offer complete-word _main_complete
zle-line-init() {
    local line
    for line in "${(@f)$(<lines)}"; do
        BUFFER=$line CURSOR=$#line
        zle offer
        print that-is-all >>offered
    done
    exit
}
zle -N zle-line-init
END
cp $1/_dnsmus . && shift
print -rl -- "$@" >lines
zmodload zsh/zpty && ZDOTDIR=$PWD zpty z zsh -d -i
while zpty -r z said; do shown+=$said; done
cat offered || print -r -- "$shown"`
