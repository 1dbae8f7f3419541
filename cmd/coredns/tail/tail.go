// Package tail is the command that shows what happens at a server that runs, a line an event, for
// pipes and screen readers.
package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Name is the word on the command line that asks for this command.
const Name = "tail"

func usage(name string) string {
	return `Usage: ` + name + ` [FILTER]... [OPTION]...

Shows what happens at the running server, a line an event, until Ctrl-C: each
query with its reply, good answers that come after a denial, and upstreams that
go down and come up. The server's log says that somebody watches. What the
plugin cache answers by itself is not shown.

Queries are shown that all words of FILTER are true of:

  corp.example     its name is this, or in this zone
  A                its type
  @10.1.0.53       this upstream has won
  only:10.1.0.53   and no other had a good answer
  denied, failed   NXDOMAIN or NODATA; SERVFAIL and other failures
  slow, '>500ms'   it took 500 ms, or as long as is said
  differ           answers differ
  asked:all        all upstreams were asked at once; or knower (the one that
                   knows the zone), hedged (and then others), survey (all, to
                   see whether it still does), none
  '!WORD'          WORD is not true of it; shells want quotes

` + client.Common + `
Exit status: 0 the server has ended, or Ctrl-C; 69 no server was found, 77 its
socket may not be used, 64 the command line is wrong.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	if status, ok := c.Parse(args, -1, usage(c.Name)); !ok {
		return status
	}
	if slices.Contains(c.Words, "") {
		return c.Wrong("a word of FILTER is empty")
	}
	params := c.Params()
	params.Set(api.ParamFilter, strings.Join(c.Words, " "))
	s, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	w := writer{out: c.Out, json: c.JSON, several: len(state.Servers) > 1}
	asked := sync.OnceFunc(func() { c.Complain("%s", client.Asked(state)) }) // once the server has taken the filter
	err = s.Lines(ctx, api.Events, params, func(line []byte) error {
		asked()
		return w.take(line)
	})
	switch {
	case err == nil:
		c.Complain("the server has ended")
		return 0
	case errors.Is(err, context.Canceled):
		return 0
	case errors.Is(err, errOutput):
		c.Complain("%v", err)
		return client.ExitOutput
	}
	return c.Failed(err)
}

var errOutput = errors.New("cannot write")

// writer writes events as lines.
type writer struct {
	out     io.Writer
	json    bool
	several bool // server blocks, so a line says which one it is of
	names   recent
}

// take writes what a line of the stream says.
func (w *writer) take(line []byte) error {
	text := string(client.SafeJSON(line))
	if !w.json {
		var err error
		if text, err = w.text(line); err != nil || text == "" {
			return err
		}
	}
	if _, err := io.WriteString(w.out, text+"\n"); err != nil {
		return fmt.Errorf("%w: %w", errOutput, err)
	}
	return nil
}
