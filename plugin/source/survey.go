package source

import "github.com/dnsmus/dnsmus/plugin/server"

// Survey is what one source said when the list was last read, for people.
type Survey struct {
	Source string // empty: servers that were named one by one
	Err    error  // why the source is of no use; what it said before may stand all the same
	Named  []Named
}

// Named is one thing that a source names.
type Named struct {
	What    string        // the server, or a word that is none
	Server  server.Server // the zero value if it is left out
	LeftOut string        // why it is not asked by that name; empty: it is
}

// Survey tells what each source named when the list was last read, and what of it is
// left out.
func (l *List) Survey() (all []Survey) {
	left := make(map[server.ID]bool) // that nobody was said to name yet
	kept := l.Servers()
	for _, s := range kept {
		left[s.ID] = true
	}
	for _, e := range l.entries {
		var s Survey
		if e.source != nil {
			s.Source, s.Err = e.source.String(), e.err
		}
		for _, told := range e.last.Servers {
			n := Named{What: told.String(), Server: told}
			switch {
			case left[told.ID]:
				delete(left, told.ID)
			case includes(kept, []server.Server{told}):
				n.LeftOut = "named before"
			default:
				n.LeftOut = "named with its link elsewhere"
			}
			s.Named = append(s.Named, n)
		}
		for _, out := range e.last.LeftOut {
			s.Named = append(s.Named, Named{What: out.What, LeftOut: out.Why})
		}
		all = append(all, s)
	}
	return all
}
