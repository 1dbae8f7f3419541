package command

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/doctor"
	"github.com/dnsmus/dnsmus/cmd/coredns/explain"
	"github.com/dnsmus/dnsmus/cmd/coredns/forget"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/cmd/coredns/status"
	"github.com/dnsmus/dnsmus/cmd/coredns/tail"
	"github.com/dnsmus/dnsmus/cmd/coredns/top"
	"github.com/dnsmus/dnsmus/cmd/coredns/why"
	"github.com/dnsmus/dnsmus/cmd/coredns/zones"
	"github.com/dnsmus/dnsmus/plugin/option"
)

// asking are the commands that ask a server that runs, by their words.
var asking = map[string]func(context.Context, *client.Command, []string) int{
	status.Name: status.Run,
	why.Name:    why.Run,
	zones.Name:  zones.Run,
	tail.Name:   tail.Run,
	top.Name:    top.Run,
	forget.Name: forget.Run,
	doctor.Name: doctor.Run,
}

// flagOf are words for what flags do.
var flagOf = map[string]string{"help": "-h", "version": "-version"}

// word runs the command that the first word of args after the program's name calls, and
// returns its exit status. What is no such word is left to others.
func word(args []string) (status int, ran bool) {
	if len(args) < 2 {
		return 0, false
	}
	name := filepath.Base(args[0])
	if args = helpOf(args); args == nil {
		fmt.Fprintf(os.Stderr, "%s: there is no command of that name; the commands are %s\n", name, strings.Join(commands(), ", "))
		return exitUsage, true
	}
	run, known := asking[args[1]]
	switch {
	case args[1] == explain.Name:
		return explain.Main(args, stanzas), true
	case known:
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		context.AfterFunc(ctx, stop) // a second one ends the program
		return run(ctx, client.NewCommand(name, args[1], show.On(os.Stdout), os.Stderr), args[2:]), true
	}
	if text := meant(args[1]); text != "" {
		fmt.Fprintf(os.Stderr, "%s: %s; see '%[1]s -h'\n", name, text)
		return exitUsage, true
	}
	return 0, false
}

// commands are the words of all commands.
func commands() []string {
	all := append(slices.Collect(maps.Keys(asking)), explain.Name)
	slices.Sort(all)
	return all
}

// helpOf turns "help WORD" into what asks the command WORD for help; nil: there is no such command.
func helpOf(args []string) []string {
	switch {
	case args[1] != "help" || len(args) < 3 || flagOf[args[2]] != "":
		return args
	case slices.Contains(commands(), args[2]):
		return []string{args[0], args[2], "-h"}
	}
	return nil
}

// meant says which command was meant by a word that is none, and is like one; empty: none.
func meant(word string) string {
	if strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz") != "" || flagOf[word] != "" {
		return ""
	}
	if word == "completion" {
		return "completion for bash, zsh and fish comes with the packages, and with the archives in deploy/completion; in a checkout 'go run ./deploy/completion ./dnsmus DIR' makes it of a program that was built"
	}
	nearest, found := option.Nearest(word, append(commands(), "help", "version"))
	if !found {
		return ""
	}
	return fmt.Sprintf("there is no command %q; perhaps %s", word, nearest)
}

// asFlag returns the flag that a word stands for, if it is the first one.
func asFlag(args []string) []string {
	if len(args) > 0 && flagOf[args[0]] != "" {
		return append([]string{flagOf[args[0]]}, args[1:]...)
	}
	return args
}
