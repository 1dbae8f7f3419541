// Package status is the command that shows who of the upstreams of a server that runs is up, since
// when, by whom it was named, and what it is worth.
package status

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Name is the word on the command line that asks for this command.
const Name = "status"

func usage(name string) string {
	return `Usage: ` + name + ` [UPSTREAM] [OPTION]...

Shows which upstreams of the running server are up, since when, and what they
are worth. With UPSTREAM, as in the table, it shows all that is known of that.
It sends no query.

  UPSTREAM  the resolver; ! stands before one that is not up
  STATE     up, down (silent to all questions), gone (its interface is) or
            failing (the last query to it was an error), and for how long
  TOLD BY   what names it: a file, a program, or the Corefile
  PATH      by which it is asked: udp, tcp, tls, https or quic
  P50, P95  in what time half of its good answers come, and 95 % of them
  GOOD      the share of its replies in the last hour that were good
  ONLY      questions of the last hour that it alone has answered
  KNOWS     zones that it alone has answered in lately

  --short               print one line, such as "3/4 up, 10.2.0.53%wg0 down 42 s"
` + client.Common + `
Exit status: 0 all are up, 1 some are, 2 none is; 69 no server was found, 77 its
socket may not be used, 64 the command line is wrong.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	short := c.Flags.Bool("short", false, "")
	if status, ok := c.Parse(args, 1, usage(c.Name)); !ok {
		return status
	}
	_, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	servers := state.Servers
	var one []upstream
	if len(c.Words) > 0 {
		if one = find(servers, c.Words[0]); len(one) == 0 {
			return c.Wrong("%q is no upstream; they are %s", c.Words[0], printable.And(names(servers)))
		}
	}
	code := exit(servers)
	switch now := time.Now(); {
	case c.JSON && one != nil:
		return c.WriteJSON(one, code)
	case c.JSON:
		return c.WriteJSON(state, code)
	case *short:
		return c.WriteLines([]string{brief(servers, now)}, code)
	case one != nil:
		return c.WriteLines(About(servers, c.Words[0], now, c.Out), code)
	default:
		return c.WriteLines(text(state, client.Nameservers(), now, c.Out), code)
	}
}

func names(servers []api.Server) (all []string) {
	for _, s := range servers {
		for _, u := range s.Upstreams {
			if !slices.Contains(all, u.Upstream) {
				all = append(all, u.Upstream)
			}
		}
	}
	return all
}

// isUp is the state of an upstream that is.
const isUp = "up"

func exit(servers []api.Server) int {
	switch all, up := count(servers); up {
	case 0:
		return 2
	case all:
		return 0
	}
	return 1
}

// brief is all in one line, for bars and prompts.
func brief(servers []api.Server, now time.Time) string {
	all, up := count(servers)
	words := []string{fmt.Sprintf("%d/%d up", up, all)}
	for _, s := range servers {
		for _, u := range s.Upstreams {
			if u.State != isUp {
				words = append(words, u.Upstream+" "+state(&u, now))
			}
		}
	}
	return strings.Join(words, ", ")
}
