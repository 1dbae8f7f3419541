package source

import (
	"net/netip"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// adapter is what Windows knows of a network adapter (IP_ADAPTER_ADDRESSES).
type adapter struct {
	link    string // the index of its interface
	up      bool   // OperStatus is IfOperStatusUp
	servers []netip.Addr
	suffix  string   // of the connection; empty: none
	more    []string // other suffixes that it searches
}

// placeholders are addresses that Windows lists where an adapter has no resolver for IPv6
// (fec0:0:0:ffff::1 to 3, of RFC 3879's site-local ones).
var placeholders = netip.MustParsePrefix("fec0::/10")

// adapterServers returns the servers of all adapters that are up.
func adapterServers(adapters []adapter) (all []server.Server, skipped []Skipped) {
	for _, a := range adapters {
		searched := domains(append([]string{a.suffix}, a.more...)...)
		for _, addr := range a.servers {
			s := server.Plain(netip.AddrPortFrom(addr.Unmap().WithZone(""), server.DNS.Port()))
			s.Link, s.Domains = a.link, searched
			switch {
			case !a.up:
				skipped = append(skipped, Skipped{s.String(), "its adapter is down"})
			case placeholders.Contains(addr.WithZone("")):
				skipped = append(skipped, Skipped{s.String(), "a placeholder of Windows"})
			default:
				all = append(all, s)
			}
		}
	}
	return all, skipped
}
