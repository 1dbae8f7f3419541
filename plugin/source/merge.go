package source

import (
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Servers returns the servers that are named, as they were last read, up to [MaxServers]: each
// once, and without its interface only if no entry names it with one. What the system asks
// encrypted is asked in plain text only if the user has written it so.
func (l *List) Servers() []server.Server {
	all := l.named()
	return all[:min(len(all), MaxServers)]
}

// named returns all servers, of each entry the first MaxServers.
func (l *List) named() []server.Server {
	var all []server.Server
	for _, e := range l.entries {
		for _, s := range e.last.Servers {
			all = append(all, l.resolve(e, s))
		}
	}
	return merge(all)
}

// merge returns the servers to ask when all of these are named: each once, with all its
// domains, in the order in which they are first named. One that is named with an interface
// somewhere is not asked without it.
func merge(all []server.Server) (kept []server.Server) {
	linked := make(map[server.ID]bool) // without their links
	for _, s := range all {
		if s.Link != "" {
			linked[unlinked(s.ID)] = true
		}
	}
	at := make(map[server.ID]int)
	for _, s := range all {
		if s.Link == "" && linked[s.ID] {
			continue
		}
		i, seen := at[s.ID]
		if !seen {
			at[s.ID] = len(kept)
			kept = append(kept, s)
			continue
		}
		kept[i].Domains, kept[i].VPN = union(kept[i].Domains, s.Domains), kept[i].VPN || s.VPN
	}
	return kept
}

func unlinked(id server.ID) server.ID {
	id.Link = ""
	return id
}
