// Package zones is the command that shows which upstream knows which zone, as a server that runs
// has learned it.
package zones

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/cmd/coredns/question"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Name is the word on the command line that asks for this command.
const Name = "zones"

func usage(name string) string {
	return `Usage: ` + name + ` [ZONE] [OPTION]...

Shows which upstream knows which zone, as the running server has learned it: all
zones, or ZONE and those below it. A zone is here the parent of names that were
asked for. It sends no query.

  ZONE         ! stands before one of which there is something to say
  KNOWN BY     who has answered in it, the leader first, which is asked first
  ANSWERS      how many good answers were counted, of all of these
  LAST         how long ago the last one was
  MISSED BY    who has denied names that exist, or had nothing to say of them
  SYSTEM SAYS  whose domain it is, as VPNs tell the system

` + client.Common + `
Exit status: 0; 4 nothing is known; 69 no server was found, 77 its socket may
not be used, 64 the command line is wrong.
`
}

// exitNothing is the exit status if nothing is known.
const exitNothing = 4

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	if status, ok := c.Parse(args, 1, usage(c.Name)); !ok {
		return status
	}
	params := c.Params()
	if len(c.Words) > 0 {
		zone, note, err := question.NameOf(c.Words[0])
		if err != nil {
			return c.Wrong("%v", err)
		}
		if note != "" {
			c.Complain("%s", note)
		}
		params.Set(api.ParamZone, zone)
	}
	s, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	all := []api.Zone{}
	err = s.Lines(ctx, api.Zones, params, func(line []byte) error {
		var z api.Zone
		if err := client.Decode(line, &z); err != nil {
			return err
		}
		all = append(all, z)
		return nil
	})
	if err != nil {
		return c.Failed(err)
	}
	status := 0
	if len(all) == 0 {
		status = exitNothing
	}
	if c.JSON {
		return c.WriteJSON(all, status)
	}
	lines := Tables(all, state.Servers, time.Now(), c.Out)
	if len(all) == 0 {
		lines = c.Out.Lines("Nothing is known yet: no upstream has answered there since the server began, or since the upstreams changed.")
	}
	return c.WriteLines(append(lines, "", client.Asked(state)), status)
}

// Tables are those of all server blocks that know of zones, each under the block's name if there are
// several blocks.
func Tables(all []api.Zone, servers []api.Server, now time.Time, screen show.Screen) (lines []string) {
	if len(servers) < 2 {
		return table(all, now).Lines(screen)
	}
	for _, s := range servers {
		of := slices.DeleteFunc(slices.Clone(all), func(z api.Zone) bool { return z.Server != s.Server })
		if len(of) == 0 {
			continue
		}
		if len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(append(lines, screen.Lines("On "+s.Server+":")...), table(of, now).Lines(screen)...)
	}
	return lines
}

func table(all []api.Zone, now time.Time) show.Table {
	t := show.Table{Columns: []show.Column{
		{Head: "ZONE"},
		{Head: "KNOWN BY", Wraps: true},
		{Head: "ANSWERS", Right: true, Drop: 2},
		{Head: "LAST", Right: true, Drop: 1},
		{Head: "MISSED BY", Wraps: true, Drop: 3},
		{Head: "SYSTEM SAYS", Wraps: true, Drop: 4},
	}}
	for i := range all {
		z := &all[i]
		row := show.Row{Cells: []string{z.Zone, knowers(z), answers(z), show.Age(now.Sub(z.Last)), list(z.Missed), system(z)}}
		if z.Note != "" {
			row.Mark, row.Notes = "!", []string{z.Note}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// knowers are who has answered, the leader first.
func knowers(z *api.Zone) string {
	var names []string
	for _, k := range z.KnownBy {
		name := k.String()
		if z.Leader != nil && k.Upstream == *z.Leader {
			names = slices.Insert(names, 0, name)
		} else {
			names = append(names, name)
		}
	}
	return list(names)
}

func answers(z *api.Zone) string {
	sum, more := 0, ""
	for _, k := range z.KnownBy {
		sum += k.Answers
		if k.Answers >= 255 {
			more = "+"
		}
	}
	return fmt.Sprint(sum) + more
}

// system says whose domain the zone is.
func system(z *api.Zone) string {
	var words []string
	for _, d := range z.System {
		words = append(words, d.Link+": "+d.Domain)
	}
	return list(words)
}

func list(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ", ")
}
