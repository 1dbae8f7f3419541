// Package why is the command that shows what became of a name when clients asked for it, and
// why, as a server that runs remembers it.
package why

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/question"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Name is the word on the command line that asks for this command.
const Name = "why"

// exitNothing is the exit status if nothing is remembered.
const exitNothing = 4

func usage(name, program string) string {
	return `Usage: ` + name + ` NAME [TYPE] [OPTION]...

Shows what became of NAME when it was denied, failed or took long: what each
upstream said, who is to blame, until when that lasts, and what to do. It is
from the memory of the running server, so it sends no query; '` + program + ` explain'
sends one. Of good answers only slow ones and those of filters are remembered.

NAME may be part of a URL or a mail address, in Unicode, or an address, which
stands for its name. Without TYPE all types are shown.

` + client.Common + `
Exit status, by the last reply: 0 a good answer, 1 NODATA, 2 NXDOMAIN, 3 a
failure; 4 nothing is remembered; 69 no server was found, 77 its socket may not
be used, 64 the command line is wrong.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	if status, ok := c.Parse(args, 2, usage(c.Name, c.Program)); !ok {
		return status
	}
	if len(c.Words) == 0 {
		return c.Wrong("missing NAME; write it after the command")
	}
	name, note, err := question.NameOf(c.Words[0])
	if err != nil {
		return c.Wrong("%v", err)
	}
	if note != "" {
		c.Complain("%s", note)
	}
	params := c.Params()
	params.Set(api.ParamName, name)
	if len(c.Words) > 1 {
		t, err := question.Type(c.Words[1])
		if err != nil {
			return c.Wrong("%v", err)
		}
		params.Set(api.ParamType, dns.Type(t).String())
	}
	s, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	all := []api.Remembered{}
	err = s.Lines(ctx, api.History, params, func(line []byte) error {
		var r api.Remembered
		if err := client.Decode(line, &r); err != nil {
			return err
		}
		all = append(all, r)
		return nil
	})
	if err != nil {
		return c.Failed(err)
	}
	status := exitNothing
	if len(all) > 0 {
		status = client.Verdict(&all[0].Outcome)
	}
	if c.JSON {
		return c.WriteJSON(all, status)
	}
	now := time.Now()
	var lines []string
	if len(all) == 0 {
		known, err := zone(ctx, c, s, name)
		if err != nil {
			return c.Failed(err)
		}
		lines = nothing(c, name, known, state, now)
	} else {
		lines = Text(all, len(state.Servers) > 1, now, c.Out)
	}
	return c.WriteLines(append(lines, "", client.Asked(state)), status)
}

// zone is what is known of the zone that a name is in; nil: nothing.
func zone(ctx context.Context, c *client.Command, s *client.Client, name string) (found *api.Zone, err error) {
	at, end := dns.NextLabel(name, 0)
	if end {
		return nil, nil
	}
	params := c.Params()
	params.Set(api.ParamZone, name[at:])
	err = s.Lines(ctx, api.Zones, params, func(line []byte) error {
		var z api.Zone
		if err := client.Decode(line, &z); err != nil {
			return err
		}
		if strings.EqualFold(z.Zone, name[at:]) {
			found = &z
		}
		return nil
	})
	return found, err
}

// nothing says that nothing is remembered, why that may be, and what is known all the same.
func nothing(c *client.Command, name string, known *api.Zone, state *api.State, now time.Time) []string {
	text := fmt.Sprintf("%s: nothing is remembered. It was answered, or is not in memory: the server has run for %s, and forgets the oldest first.", name, show.Age(now.Sub(state.Since)))
	if known != nil {
		prefer := ""
		for i := range state.Servers {
			if s := &state.Servers[i]; s.Server == known.Server {
				prefer = s.Prefer
			}
		}
		text += "\n" + about(known, prefer)
	}
	return c.Out.Lines(text + fmt.Sprintf("\nTo ask now: %s explain %s", c.Program, show.Quoted(name)))
}
