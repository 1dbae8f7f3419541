// Package top is the command that shows upstreams and races of a server that runs on the whole
// terminal, as they change.
//
// What comes from the server (feed.go) and from the keyboard (keys.go) changes a model (model.go),
// of which a screen is made (screen.go and the files that it names). Neither has a clock or does
// I/O; loop.go has the terminal.
package top

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/top/web"
	"github.com/dnsmus/dnsmus/plugin/control"
)

// Name is the word on the command line that asks for this command.
const Name = "top"

func usage(name string) string {
	return `Usage: ` + name + ` [FILTER]... [OPTION]...

Shows the upstreams of the running server and the queries to them as they come,
until q is pressed. The server's log says that somebody watches. What the plugin
cache answers by itself is not shown. FILTER is words, as those of tail.

` + keyHelp + `

  --ascii               draw with ASCII alone, as is done where the locale has
                        no UTF-8
  --web                 show the same on a page: it is served to this machine
                        alone, at the address that is written, until Ctrl-C or
                        until there was no page for a minute; the browser opens
  --no-open             with --web: do not open the browser
` + client.Which + `
Exit status: 0; 69 no server was found, 77 its socket may not be used, 64 the
command line is wrong, or there is no terminal.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	ascii := c.Flags.Bool("ascii", false, "")
	onPage := c.Flags.Bool("web", false, "")
	noOpen := c.Flags.Bool("no-open", false, "")
	if status, ok := c.Parse(args, -1, usage(c.Name)); !ok {
		return status
	}
	if slices.Contains(c.Words, "") {
		return c.Wrong("a word of FILTER is empty")
	}
	words := strings.Join(c.Words, " ")
	if _, err := control.Wanted(words); err != nil {
		return c.Wrong("%v", err)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	switch {
	case c.JSON:
		return c.Wrong("top has no JSON; '%s tail --json' has", c.Program)
	case *onPage:
		return web.Serve(ctx, c, words, !*noOpen)
	case *noOpen:
		return c.Wrong("--no-open is for --web")
	case !c.Out.Live:
		return c.Wrong("top needs a terminal; '%s tail' shows the same line by line", c.Program)
	}
	_, state, err := c.Find(ctx) // before the screen is taken
	if err != nil {
		return c.Failed(err)
	}
	return run(ctx, c, state, words, *ascii || !utf8(), nil)
}

// utf8 reports whether the locale has UTF-8. Where none is set it is taken to: on Windows, consoles
// have it all the same.
func utf8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			locale = strings.ToLower(locale)
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return true
}
