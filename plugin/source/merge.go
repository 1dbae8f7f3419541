package source

import "github.com/dnsmus/dnsmus/plugin/server"

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
