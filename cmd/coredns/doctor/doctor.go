// Package doctor is the command that looks for what is wrong with the DNS of a machine: what its
// programs ask, what the system has set up, and what the running server knows. It changes nothing.
package doctor

import (
	"context"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
)

// Name is the word on the command line that asks for this command.
const Name = "doctor"

func usage(name string) string {
	return `Usage: ` + name + ` [OPTION]...

Looks for what is wrong with the DNS of this machine: whether programs reach
dnsmus and whom they ask instead, what the system has set up, browsers and
containers that ask others, and what upstreams do. It prints each problem with
what shows it and one line that mends it. It changes nothing. Without root it
does not see the programs of other users.

  --report              print what is fit for a ticket: all checks and what they
                        saw, without first labels of names, paths of URLs and
                        names of users; addresses stay
` + client.Common + `
Exit status: 0 no problem was found, 1 some were, 2 none was, but a check could
not look; 64 the command line is wrong.
`
}

// Run runs the command, and returns the exit status.
func Run(ctx context.Context, c *client.Command, args []string) int {
	report := c.Flags.Bool("report", false, "")
	if status, ok := c.Parse(args, 0, usage(c.Name)); !ok {
		return status
	}
	m := system()
	m.server, m.state, m.absent = c.Find(ctx)
	return run(ctx, c, m, all, *report)
}

// run looks at a machine, and prints what it finds.
func run(ctx context.Context, c *client.Command, m *machine, checks []check, report bool) int {
	r := examine(ctx, m, checks)
	if err := ctx.Err(); err != nil {
		return c.Failed(err)
	}
	if report {
		r.mask(m)
	}
	switch {
	case c.JSON:
		return c.WriteJSON(r, r.exit())
	case report:
		return c.WriteLines(r.everything(c.Out), r.exit())
	}
	return c.WriteLines(r.problems(c.Out), r.exit())
}
