package client

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Command is one run of a command that asks a server.
type Command struct {
	Name     string // as people call it, such as "dnsmus why"
	Program  string // the first word of that
	Out      show.Screen
	Problems io.Writer

	Flags *flag.FlagSet // those of the command, to which Parse adds those of all
	Words []string      // of the command line that are no flags
	JSON  bool

	socket, server string
}

// NewCommand returns a run of the command that a word of the program calls.
func NewCommand(program, word string, out show.Screen, problems io.Writer) *Command {
	c := &Command{Name: program + " " + word, Program: program, Out: out, Problems: problems, Flags: flag.NewFlagSet("", flag.ContinueOnError)}
	c.Flags.SetOutput(io.Discard)
	c.Flags.Usage = func() {}
	c.Flags.StringVar(&c.socket, "s", "", "")
	c.Flags.StringVar(&c.server, "server", "", "")
	c.Flags.BoolVar(&c.JSON, "json", false, "")
	return c
}

// Common describes the options that nearly all commands take.
const Common = `  --json                print JSON
` + Which

// Which describes those that say which server is meant, and -h.
const Which = `  -s PATH               the control socket of the server (default: what
                        $` + Variable + ` says, else that of the service, else
                        those of your own servers)
  --server ADDR         its server block that listens at this address
  -h, --help            print this
`

// Parse reads the command line, of which there are at most so many words. It prints usage if it
// is asked for, and what is wrong. The command goes on if ok.
func (c *Command) Parse(args []string, words int, usage string) (status int, ok bool) {
	err := show.Words(c.Flags, args, func(word string) error {
		c.Words = append(c.Words, word)
		return nil
	})
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c.Write([]byte(usage), 0), false
	case err != nil:
		return c.Wrong("%v", err), false
	case words >= 0 && len(c.Words) > words:
		return c.Wrong("unexpected argument %q", c.Words[words]), false
	}
	return 0, true
}

// Complain writes a line to people.
func (c *Command) Complain(format string, args ...any) {
	fmt.Fprintf(c.Problems, c.Name+": "+format+"\n", args...)
}

// Wrong says what is wrong with the command line, and returns the exit status for that.
func (c *Command) Wrong(format string, args ...any) int {
	c.Complain("%s; see '%s -h'", fmt.Sprintf(format, args...), c.Name)
	return ExitUsage
}

// Failed says why the server could not be asked, and returns the exit status for that.
func (c *Command) Failed(err error) int {
	if errors.Is(err, context.Canceled) {
		return ExitInterrupted
	}
	c.Complain("%v", err)
	return Status(err)
}

// Write writes the output, and returns the exit status if that goes well.
func (c *Command) Write(text []byte, status int) int {
	if _, err := io.Copy(c.Out, bytes.NewReader(text)); err != nil {
		c.Complain("%v", err)
		return ExitOutput
	}
	return status
}

// WriteLines writes lines that are for people.
func (c *Command) WriteLines(lines []string, status int) int {
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return c.Write(b.Bytes(), status)
}

// WriteJSON writes an object for programs.
func (c *Command) WriteJSON(v any, status int) int {
	text, err := show.JSON(v)
	if err != nil {
		return c.Failed(err)
	}
	return c.Write(text, status)
}

// Find returns the server that is meant, and its state.
func (c *Command) Find(ctx context.Context) (*Client, *api.State, error) {
	s, err := Find(ctx, c.socket, c.server)
	if err != nil {
		return nil, nil, err
	}
	state := new(api.State)
	if err := s.Get(ctx, api.Status, c.Params(), state); err != nil {
		return nil, nil, err
	}
	return s, state, nil
}

// Server is the server block that is meant; empty: that was not said.
func (c *Command) Server() string { return c.server }

// Params are the parameters that say which server block is meant.
func (c *Command) Params() url.Values {
	if c.server == "" {
		return url.Values{}
	}
	return url.Values{api.ParamServer: {c.server}}
}

// Asked says which server it was.
func Asked(s *api.State) string {
	var listens []string
	for _, server := range s.Servers {
		listens = append(listens, server.Server)
	}
	if len(listens) == 0 { // it has just begun
		return fmt.Sprintf("Asked: the server of process %d.", s.PID)
	}
	return fmt.Sprintf("Asked: the server on %s, process %d.", printable.And(listens), s.PID)
}

// Verdict is the exit status by the verdict on a reply: 0 for a good answer, 1 for NODATA, 2 for
// NXDOMAIN, 3 for a failure.
func Verdict(o *api.Outcome) int {
	switch {
	case o.Changed != nil && *o.Changed == "away":
		return 3
	case o.Verdict == "good" || o.Verdict == "cname":
		return 0
	case o.Verdict == "nodata" || o.Changed != nil && *o.Changed == "proven":
		return 1
	case o.Verdict == "nxdomain":
		return 2
	}
	return 3
}
