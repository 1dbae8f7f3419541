package explain

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// serving is the server block to which a query for a name comes: of those that are meant, by their
// own name or where they listen, or else that the system asks, or else of all, the one with the
// longest zone. The error lists them, if that may be several.
func serving(blocks []api.Server, meant, name string, nameservers []string) (server string, err error) {
	at := func(addr string) (some []api.Server) {
		for _, b := range blocks {
			if strings.EqualFold(b.Server, addr) || slices.Contains(b.Listens, addr) {
				some = append(some, b)
			}
		}
		return some
	}
	var among []api.Server
	if meant != "" {
		if among = at(meant); len(among) == 0 {
			return meant, nil // the server says which there are
		}
	}
	for _, addr := range nameservers {
		if len(among) == 0 {
			among = at(net.JoinHostPort(addr, "53"))
		}
	}
	if len(among) == 0 {
		among = blocks
	}
	var found []string
	longest := -1
	for _, b := range among {
		n := -1
		for _, zone := range b.Zones {
			if dns.IsSubDomain(zone, name) {
				n = max(n, dns.CountLabel(zone))
			}
		}
		if n > longest {
			found, longest = nil, n
		}
		if n == longest {
			found = append(found, b.Server)
		}
	}
	if len(found) > 1 {
		return "", fmt.Errorf("several server blocks share the socket; write one of --server %s", strings.Join(found, ", --server "))
	}
	return strings.Join(found, ""), nil
}
