package source

import "github.com/dnsmus/dnsmus/plugin/server"

// merge returns the servers that are asked when all of these are named, in the order in
// which they are first mentioned. A server counts once, with all domains that it is given,
// and one that is named with a link does not count without.
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
		kept[i].Domains = union(kept[i].Domains, s.Domains)
	}
	return kept
}

func unlinked(id server.ID) server.ID {
	id.Link = ""
	return id
}
