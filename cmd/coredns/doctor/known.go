package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// systemsOwn looks for resolvers that the system knows, and that nobody asks.
func systemsOwn(_ context.Context, m *machine) (f found, err error) {
	_, state, err := m.running()
	if err != nil {
		return f, err
	}
	unasked(&f, m.inventory(), state.Servers)
	return f, nil
}

// inventory is what the system says of resolvers now.
func inventory() []source.Inventory {
	list := new(source.List)
	list.AddLinks()
	list.Read()
	return list.Inventory()
}

// unasked notes resolvers that no server block asks, and those on two links that are asked over one.
func unasked(f *found, inventories []source.Inventory, servers []api.Server) {
	links := make(map[server.ID][]string) // of an address, however it is reached
	for _, i := range inventories {
		if i.Err != nil {
			text := i.Err.Error()
			if !strings.HasPrefix(text, i.Source) {
				text = i.Source + ": " + text
			}
			f.saw(text)
		}
		for _, n := range i.Named {
			if !n.Server.IsValid() {
				f.saw(fmt.Sprintf("%s: %s is left out: %s", i.Source, n.What, n.Skipped))
				continue
			}
			f.saw(fmt.Sprintf("%s: %s", i.Source, n.Server))
			id := n.Server.ID
			id.Link = ""
			if n.Server.Link != "" && !slices.Contains(links[id], n.Server.Link) {
				links[id] = append(links[id], n.Server.Link)
			}
			if asked(n.Server, servers) || n.Skipped != "" && n.Skipped != tooMany {
				continue
			}
			why := "no server block has links, or a file that names it"
			if n.Skipped != "" {
				why = n.Skipped
			}
			evidence := []string{fmt.Sprintf("named by %s; not asked: %s", i.Source, why)}
			if len(n.Server.Domains) > 0 {
				evidence = append(evidence, "it is for "+few(n.Server.Domains))
			}
			f.add(fmt.Sprintf("The system knows the resolver %s, and dnsmus does not ask it.", n.Server), "in the Corefile, after dnsmus: links", evidence...)
		}
	}
	for _, s := range servers {
		for _, u := range s.Upstreams {
			known, err := server.Parse(u.Upstream)
			if err != nil || known.Link != "" {
				continue
			}
			if over := links[known.ID]; len(over) > 1 {
				f.add(fmt.Sprintf("%s is on %s, and is asked over one of them alone, whichever the routing table says.", u.Upstream, printable.And(over)),
					"in the Corefile, after dnsmus: links, in place of "+u.Upstream, "named by "+printable.And(u.ToldBy)+" without an interface")
			}
		}
	}
}

// tooMany begins why a resolver is left out that could be asked.
var tooMany = fmt.Sprintf("beyond the first %d", source.MaxServers)

// asked reports whether a server block asks a resolver, over its link or as routes decide.
func asked(s server.Server, servers []api.Server) bool {
	for _, block := range servers {
		for _, u := range block.Upstreams {
			other, err := server.Parse(u.Upstream)
			if err != nil {
				continue
			}
			if other.Addr == s.Addr && strings.EqualFold(other.Name, s.Name) && (other.Link == s.Link || other.Link == "") || other.Equal(s) {
				return true
			}
		}
	}
	return false
}
