// Package explain is a command for people: it asks every upstream what a client
// would ask, and shows how each replies, which reply wins, and what dnsmus would
// reply.
//
// A server that runs and has a control socket does the asking, with what it knows. Without one
// the command does so itself: it holds the server's own race over the server's own upstreams, so
// what it shows is what a server does that has just started. One thing differs: the race is over
// with the first good answer, but it goes on waiting for the others until the timeout, because
// people want to see their replies.
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
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Name is the word on the command line that asks for this command.
const Name = "explain"

// Main runs the command line args, whose first words are the program and [Name],
// and returns the exit status. Read is how a Corefile is read.
func Main(args []string, read func(file string, contents []byte) ([]Stanza, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	context.AfterFunc(ctx, stop) // a second one ends the program
	c := command{name: filepath.Base(args[0]) + " " + Name, out: show.On(os.Stdout), problems: os.Stderr, read: read}
	return c.run(ctx, args[2:])
}

// command is one run.
type command struct {
	name     string
	out      show.Screen
	problems io.Writer
	read     func(file string, contents []byte) ([]Stanza, error)
}

func (c *command) complain(format string, args ...any) {
	fmt.Fprintf(c.problems, c.name+": "+format+"\n", args...)
}

func (c *command) run(ctx context.Context, args []string) int {
	cfg, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c.write([]byte(usage(c.name)), exitGood)
	case err != nil:
		c.complain("%v; see '%s -h'", err, c.name)
		return exitUsage
	case cfg.links:
		return c.showLinks(cfg)
	}
	if cfg.note != "" {
		c.complain("%s", cfg.note)
	}
	if !cfg.askServer() {
		return c.alone(ctx, cfg, "")
	}
	s, err := client.Find(ctx, cfg.socket, cfg.server)
	if err == nil {
		return c.byServer(ctx, cfg, s)
	}
	because, alone := goesOn(cfg, err)
	if !alone {
		c.complain("%v", err)
		return client.Status(err)
	}
	return c.alone(ctx, cfg, because)
}

// goesOn reports whether the command asks alone after an error of [client.Find], and what is to be
// said of that error.
func goesOn(cfg *config, err error) (because string, alone bool) {
	switch {
	case cfg.socket != "" || cfg.server != "":
		return "", false
	case errors.Is(err, client.ErrNoneFound):
		return "", true
	}
	list := strings.ReplaceAll(err.Error(), ":\n", ": ") // of several servers, a line each
	return strings.Join(strings.Fields(strings.ReplaceAll(list, "\n", "; ")), " "), true
}

// showLinks shows which resolvers the system knows.
func (c *command) showLinks(cfg *config) int {
	cfg.list.Read()
	rows := linkRows(cfg.list.Inventory(), linkState)
	if cfg.json {
		return c.write(linksJSON(rows), linksExit(rows))
	}
	return c.write(linksText(rows, c.out), linksExit(rows))
}

// alone asks without a server; because says why, empty: there is none.
func (c *command) alone(ctx context.Context, cfg *config, because string) int {
	a, err := cfg.choose(cfg.questions[0].Name, c.read)
	if err != nil {
		c.complain("%v", err)
		return exitNoUpstreams
	}
	report := a.list.Read()
	for _, text := range report.Warnings {
		c.complain("%s", text)
	}
	for _, err := range report.Problems {
		c.complain("%v", err)
	}
	servers := a.list.Servers()
	if len(servers) == 0 {
		if because != "" {
			c.complain("%s", because)
		}
		c.complain("no upstream to ask of %s; name one as @192.0.2.1, or a file with -f FILE; '%s --links' shows what the system knows", a.from, c.name)
		return exitNoUpstreams
	}
	if s, lacks := server.LacksBootstrap(servers); lacks {
		c.complain("%s %s", s, s.BootstrapHint())
		return exitNoUpstreams
	}
	asked := "Asked by this command itself: " + a.from + "."
	if because != "" {
		asked += " No server was asked: " + because + "."
	}
	if zone := excepted(&a.values, cfg.questions[0].Name); zone != "" {
		asked += " A server leaves this name to the next plugin, as except names " + zone + "."
	}
	r, err := newRaces(cfg, a.values, servers)
	if err != nil {
		c.complain("%v", err)
		return exitUsage
	}
	defer r.close()
	return c.tell(ctx, cfg, r, asked)
}

// races are what answers the questions.
type races interface {
	// ask waits for all that is to be known.
	ask(ctx context.Context) ([]api.Outcome, error)
	// now is what is known by now; it may be called beside ask.
	now() []view
}

// tell shows what comes of races, while it comes and in the end.
func (c *command) tell(ctx context.Context, cfg *config, r races, asked string) int {
	end := func() {}
	if c.out.Live && !cfg.json {
		end = c.out.Watch(func() (lines []string) {
			for _, v := range r.now() {
				lines = append(lines, show.Legs(v.Upstreams, v.live, v.since).Lines(c.out)...)
			}
			return lines
		})
	}
	outcomes, err := r.ask(ctx)
	end()
	if err != nil {
		c.complain("%v", err)
		return client.Status(err)
	}
	status := exitInterrupted
	var b bytes.Buffer
	for i := range outcomes {
		o := &outcomes[i]
		status = min(status, exit(o))
		if cfg.json {
			continue
		}
		for _, line := range Text(o, time.Now(), c.out) {
			b.WriteString(line + "\n")
		}
		b.WriteString("\n")
	}
	if cfg.json {
		var all any = outcomes
		if len(outcomes) == 1 {
			all = &outcomes[0]
		}
		text, err := show.JSON(all)
		if err != nil {
			c.complain("%v", err)
			return exitOutput
		}
		b.Write(text)
	} else {
		if hint := searchHint(cfg.questions[0].Name, client.SearchDomains(), c.name); hint != "" {
			asked = hint + "\n" + asked
		}
		for _, line := range c.out.Lines(asked) {
			b.WriteString(line + "\n")
		}
	}
	return c.write(b.Bytes(), status)
}

func (c *command) write(text []byte, status int) int {
	if _, err := io.Copy(c.out, bytes.NewReader(text)); err != nil {
		c.complain("%v", err)
		return exitOutput
	}
	return status
}
