// Package explain is a command for people: it asks every upstream what a client
// would ask, and shows how each replies, which reply wins, and what dnsmus would
// reply.
//
// It holds the server's own race over the server's own upstreams, so what it
// shows is what the server does. One thing differs: the race is over with the
// first good answer, but it goes on waiting for the others until the timeout, because
// people want to see their replies. And it keeps no state between runs,
// where a server may know already that an upstream is down, or that a name exists.
package explain

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// Name is the word on the command line that asks for this command.
const Name = "explain"

// Main runs the command line args, whose first words are the program and [Name],
// and returns the exit status.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the program
	return run(ctx, filepath.Base(args[0])+" "+Name, args[2:], screenOn(os.Stdout), os.Stderr)
}

// run is Main for a command called name.
func run(ctx context.Context, name string, args []string, out screen, problems io.Writer) int {
	cfg, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return write(out, problems, name, []byte(usage(name)), exitGood)
	case err != nil:
		fmt.Fprintf(problems, "%s: %v; see '%s -h'\n", name, err, name)
		return exitUsage
	}
	if cfg.note != "" {
		fmt.Fprintf(problems, "%s: %s\n", name, cfg.note)
	}
	report := cfg.list.Read()
	if cfg.links {
		rows := linkRows(cfg.list.Inventory(), linkState)
		text := linksText(rows)
		if cfg.json {
			text = linksJSON(rows)
		}
		return write(out, problems, name, text, linksExit(rows))
	}
	if system := new(source.List); !cfg.named && len(cfg.list.Servers()) == 0 {
		system.AddLinks()
		if second := system.Read(); len(system.Servers()) > 0 {
			cfg.list, report = system, second
			fmt.Fprintf(problems, "%s: %s names no upstream; asking all that the system knows, as with @%s\n", name, source.DefaultFile(), source.Links)
		}
	}
	for _, text := range report.Warnings {
		fmt.Fprintf(problems, "%s: %s\n", name, text)
	}
	for _, err := range report.Problems {
		fmt.Fprintf(problems, "%s: %v\n", name, err)
	}
	servers := cfg.list.Servers()
	if len(servers) == 0 {
		if len(report.Problems) == 0 {
			fmt.Fprintf(problems, "%s: the system knows no resolver; see '%s --links'\n", name, name)
		} else {
			fmt.Fprintf(problems, "%s: no upstream to ask; name one as @192.0.2.1, or a file with -f FILE\n", name)
		}
		return exitNoUpstreams
	}
	if s, lacks := server.LacksBootstrap(servers); lacks {
		fmt.Fprintf(problems, "%s: %s %s\n", name, s, s.BootstrapHint())
		return exitNoUpstreams
	}

	a := newLiveRace(cfg, servers)
	o := a.special()
	switch {
	case o != nil:
		a.pool.Close()
	case out.live && !cfg.json:
		end := watch(out, func() []string { return table(a.snapshot(), style{width: out.width}) })
		o = a.ask(ctx)
		end()
	default:
		o = a.ask(ctx)
	}
	var text []byte
	if cfg.json {
		text = asJSON(o)
	} else {
		text = []byte(asText(o, style{width: out.width, colour: out.colour}))
	}
	return write(out, problems, name, text, o.exit())
}

func write(out, problems io.Writer, name string, text []byte, status int) int {
	if _, err := io.Copy(out, bytes.NewReader(text)); err != nil {
		fmt.Fprintf(problems, "%s: %v\n", name, err)
		return exitOutput
	}
	return status
}
