package source

import "github.com/dnsmus/dnsmus/plugin/server"

// Inventory is what one source said when the list was last read, for people.
type Inventory struct {
	Source string // empty: servers that were named one by one
	Err    error  // why the source is of no use; what it said before may stand all the same
	Named  []Named
}

// Named is one thing that a source names.
type Named struct {
	What    string        // the server, or a word that is none
	Server  server.Server // the zero value if it is left out
	Skipped string        // why it is not asked by that name; empty: it is
}

// Inventory tells what each source named when the list was last read, and what of it is
// left out.
func (l *List) Inventory() (all []Inventory) {
	left := make(map[server.ID]bool) // that nobody was said to name yet
	kept := l.Servers()
	for _, s := range kept {
		left[s.ID] = true
	}
	for _, e := range l.entries {
		var s Inventory
		if e.source != nil {
			s.Source, s.Err = e.source.String(), e.err
		}
		for _, told := range e.last.Servers {
			n := Named{What: told.String(), Server: told}
			switch {
			case left[told.ID]:
				delete(left, told.ID)
			case includes(kept, []server.Server{told}):
				n.Skipped = "already named"
			default:
				n.Skipped = "named with an interface elsewhere"
			}
			s.Named = append(s.Named, n)
		}
		for _, out := range e.last.Skipped {
			s.Named = append(s.Named, Named{What: out.What, Skipped: out.Why})
		}
		all = append(all, s)
	}
	return all
}
