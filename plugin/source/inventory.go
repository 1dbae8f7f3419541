package source

import (
	"fmt"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// Inventory is what one source named when it was last read, for people.
type Inventory struct {
	Source string // empty: servers that were named one by one
	Err    error  // why the source is unusable; what it named before is listed all the same
	Named  []Named
}

// Named is one thing that a source names.
type Named struct {
	What    string        // the server, or a word that is not one
	Server  server.Server // the zero value if What is not a usable server
	Skipped string        // why it is not asked for this; empty: it is
}

// Inventory returns what each source named when it was last read, and what of it is
// skipped.
func (l *List) Inventory() (all []Inventory) {
	left := make(map[server.ID]bool) // asked, and not in the inventory yet
	kept, named := l.Servers(), l.named()
	for _, s := range kept {
		left[s.ID] = true
	}
	for _, e := range l.entries {
		var i Inventory
		if e.source != nil {
			i.Source, i.Err = e.source.String(), e.err
		}
		for _, s := range e.last.Servers {
			n := Named{What: s.String(), Server: s}
			switch {
			case left[s.ID] && l.resolve(e, s).Equal(s):
				delete(left, s.ID)
			case !l.resolve(e, s).Equal(s):
				n.Skipped = "named encrypted elsewhere"
			case includes(kept, []server.Server{s}):
				n.Skipped = "already named"
			case includes(named, []server.Server{s}):
				n.Skipped = fmt.Sprintf("beyond the first %d", MaxServers)
			default:
				n.Skipped = "named with an interface elsewhere"
			}
			i.Named = append(i.Named, n)
		}
		for _, s := range e.last.Skipped {
			i.Named = append(i.Named, Named{What: s.What, Skipped: s.Why})
		}
		all = append(all, i)
	}
	return all
}
