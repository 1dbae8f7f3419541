package doctor

import (
	"context"
	"fmt"
	"runtime"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
)

// check looks at one thing that may be wrong.
type check struct {
	name  string // in JSON, in one word
	about string // what is looked at
	look  func(context.Context, *machine) (found, error)
}

// found is what a check has found. An error in its place says why it could not look.
type found struct {
	problems []problem
	seen     []string // what there is to say in a report, be it good or bad
}

// problem is something that is wrong.
type problem struct {
	What     string   `json:"what"`     // a sentence
	Evidence []string `json:"evidence"` // lines that show it
	Mend     string   `json:"mend"`     // a command, a line of a Corefile, or what to do
}

// add adds a problem.
func (f *found) add(what, mend string, evidence ...string) {
	f.problems = append(f.problems, problem{What: what, Mend: mend, Evidence: evidence})
}

// saw notes what a check has seen.
func (f *found) saw(line string) { f.seen = append(f.seen, line) }

// all are the checks, in the order in which what they find is printed.
var all = []check{
	{"reach", "whether what programs ask comes to dnsmus", reach},
	{"resolv.conf", "/etc/resolv.conf, and who writes it", resolvConfFile},
	{"nsswitch", "what the C library asks before DNS", nsswitch},
	{"port", "who answers at port 53 where programs ask", port53},
	{"search", "search domains, ndots and names of one label", searchList},
	{"firefox", "whether Firefox asks a resolver of its own", firefox},
	{"chrome", "whether Chrome and its kind do", chrome},
	{"docker", "whom Docker's containers ask", docker},
	{"portal", "captive portals", portal},
	{"upstreams", "whether upstreams reply to all kinds of questions, over UDP and TCP", upstreams},
	{"liars", "upstreams that answer names that do not exist, or that give private addresses", liars},
	{"links", "resolvers that the system knows", systemsOwn},
	{"zones", "whose answers differ, and who sees names that others know", zones},
	{"denied", "names that are denied though somebody may know them", denied},
}

// examine makes all checks.
func examine(ctx context.Context, m *machine, checks []check) *result {
	r := &result{Checks: []checked{}}
	if m.state != nil {
		text := fmt.Sprintf("%s It is dnsmus %s; this is %s.", client.Asked(m.state), m.state.Version, runtime.GOOS)
		r.Server = &text
	}
	for _, c := range checks {
		f, err := c.look(ctx, m)
		done := checked{Name: c.name, About: c.about, Problems: list(f.problems), Seen: list(f.seen)}
		if err != nil {
			why := err.Error()
			done.CouldNotLook = &why
			r.Unlooked++
		}
		r.Checks = append(r.Checks, done)
		r.Problems += len(f.problems)
	}
	return r
}

// list is a list that is never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
