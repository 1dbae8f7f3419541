// Package forget is the command that has a server that runs forget what it has learned, and
// what it keeps.
package forget

import (
	"context"
	"fmt"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/question"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Name is the word on the command line that asks for this command.
const Name = "forget"

func usage(name string) string {
	return `Usage: ` + name + ` NAME [OPTION]...
       ` + name + ` --zone ZONE | --upstream UPSTREAM | --all [OPTION]...

Has the running server forget what it keeps: replies, what it has learned, and
what it remembers of denials and failures. Nothing else changes: names are asked
for again.

  NAME                  forget this name, of all types
  --zone ZONE           forget this zone and all names in it
  --upstream UPSTREAM   forget what this upstream alone has shown; written as
                        in 'status'
  --all                 forget everything
` + client.Common + `
Caches in front, such as the plugin cache, systemd-resolved or a browser's, are
not emptied.

Exit status: 0; 69 no server was found, 77 its socket may not be used, 64 the
command line is wrong.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	var r api.ForgetRequest
	c.Flags.StringVar(&r.Zone, "zone", "", "")
	c.Flags.StringVar(&r.Upstream, "upstream", "", "")
	c.Flags.BoolVar(&r.All, "all", false, "")
	if status, ok := c.Parse(args, 1, usage(c.Name)); !ok {
		return status
	}
	if len(c.Words) > 0 {
		r.Name = c.Words[0]
	}
	given := 0
	for _, is := range []bool{r.Name != "", r.Zone != "", r.Upstream != "", r.All} {
		if is {
			given++
		}
	}
	if given != 1 {
		return c.Wrong("write one of NAME, --zone ZONE, --upstream UPSTREAM and --all")
	}
	for _, name := range []*string{&r.Name, &r.Zone} {
		if *name == "" {
			continue
		}
		full, _, err := question.NameOf(*name)
		if err != nil {
			return c.Wrong("%v", err)
		}
		*name = full
	}
	s, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	r.Server = c.Server()
	var done api.Forgotten
	if err := s.Post(ctx, api.Forget, r, &done); err != nil {
		return c.Failed(err)
	}
	if c.JSON {
		return c.WriteJSON(done, 0)
	}
	return c.WriteLines(append(c.Out.Lines(text(done)), client.Asked(state)), 0)
}

// text says what was forgotten.
func text(f api.Forgotten) string {
	var parts []string
	for _, part := range []struct {
		n            int
		one, several string
	}{
		{f.Replies, "reply", "replies"},
		{f.Names, "name that exists", "names that exist"},
		{f.Zones, "zone", "zones"},
		{f.Remembered, "denial or failure", "denials and failures"},
	} {
		if part.n > 0 {
			parts = append(parts, show.Count(part.n, part.one, part.several))
		}
	}
	line := "There was nothing to forget."
	if len(parts) > 0 {
		line = fmt.Sprintf("Forgotten: %s.", printable.And(parts))
	}
	if f.InFront {
		line += "\nThe plugin cache stands before dnsmus and may still have it, until its TTL is over or the server starts anew."
	}
	return line
}
