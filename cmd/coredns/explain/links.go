package explain

import (
	"cmp"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/link"
	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// linkRow is one server that a source names.
type linkRow struct {
	Source  string   `json:"source"`
	Link    string   `json:"interface"` // empty: the routing table decides
	Server  string   `json:"server"`
	Domains []string `json:"domains"`
	Asked   bool     `json:"asked"`
	State   string   `json:"state"` // of its interface: bound, routed (the routing table decides), down (or missing); empty: it has none
	Why     string   `json:"why"`   // why it is not asked, or why the source names nothing
}

// linkRows are what all sources name, and the sources that name nothing. Look returns the
// state of a server's interface.
func linkRows(inventories []source.Inventory, look func(server.Server) link.State) (rows []linkRow) {
	for _, s := range inventories {
		name := cmp.Or(s.Source, "command line")
		for _, n := range s.Named {
			row := linkRow{Source: name, Link: n.Server.Link, Server: n.What, Domains: n.Server.Domains, Asked: n.Skipped == "", Why: n.Skipped}
			if row.Domains == nil {
				row.Domains = []string{}
			}
			if row.Asked && row.Link != "" {
				row.State = look(n.Server).String()
			}
			if row.State == link.Gone.String() {
				row.Asked, row.Why = false, "its interface is down or missing"
			}
			rows = append(rows, row)
		}
		switch {
		case s.Err != nil:
			rows = append(rows, linkRow{Source: name, Domains: []string{}, Why: s.Err.Error()})
		case len(s.Named) == 0:
			rows = append(rows, linkRow{Source: name, Domains: []string{}, Why: "names no resolver"})
		}
	}
	return rows
}

// linkState is whether the interface of a server leads to it now.
func linkState(s server.Server) link.State {
	_, state := link.To(s.Link, s.Addr.Addr())
	return state
}

// status says in a few words whether a server is asked.
func (r linkRow) status() string {
	switch {
	case r.Server == "":
		return r.Why
	case r.State == link.Gone.String():
		return "down: " + r.Why
	case !r.Asked:
		return "left out: " + r.Why
	case r.State == link.Unbound.String():
		return "asked, using the routing table"
	}
	return "asked"
}

// linksText is the rows for people.
func linksText(rows []linkRow, screen show.Screen) []byte {
	t := show.Table{Columns: []show.Column{{Head: "SOURCE"}, {Head: "INTERFACE"}, {Head: "SERVER"}, {Head: "DOMAINS", Wraps: true}, {Head: "STATUS", Wraps: true}}}
	for _, r := range rows {
		cells := []string{r.Source, cmp.Or(r.Link, "-"), cmp.Or(r.Server, "-"), cmp.Or(strings.Join(r.Domains, " "), "-"), r.status()}
		for i, cell := range cells {
			cells[i] = printable.ASCII(cell)
		}
		t.Rows = append(t.Rows, show.Row{Cells: cells})
	}
	return []byte(strings.Join(t.Lines(screen), "\n") + "\n")
}

// linksJSON is the rows for programs.
func linksJSON(rows []linkRow) []byte {
	if rows == nil {
		rows = []linkRow{}
	}
	b, _ := show.JSON(struct { // of strings: it cannot fail
		Links []linkRow `json:"links"`
	}{rows})
	return b
}

// linksExit is the exit status: whether any server is asked.
func linksExit(rows []linkRow) int {
	for _, r := range rows {
		if r.Asked {
			return exitGood
		}
	}
	return exitNoUpstreams
}
