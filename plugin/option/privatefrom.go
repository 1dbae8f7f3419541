package option

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// PrivateFrom says which upstreams may give private addresses (R22). The zero value does not say so,
// and all may.
type PrivateFrom struct {
	Private  bool           // those whose own address is private, or on this machine
	VPN      bool           // those that are reached over a tunnel, or are a VPN's
	Prefixes []netip.Prefix // those with such an address
	Hosts    []string       // those with such a name
	Servers  []server.ID    // these
}

// IsSet reports whether some upstreams may not.
func (p *PrivateFrom) IsSet() bool {
	return p.Private || p.VPN || len(p.Prefixes) > 0 || len(p.Hosts) > 0 || len(p.Servers) > 0
}

// Allows reports whether an upstream may in any case, however it is reached. One that is known
// by name alone has no address before it is looked up, and whoever says that is not asked here.
func (p *PrivateFrom) Allows(id server.ID) bool {
	addr := id.Addr.Addr()
	return !p.IsSet() ||
		p.Private && (race.PrivateAddress(addr) || addr.IsLoopback()) ||
		slices.ContainsFunc(p.Prefixes, func(prefix netip.Prefix) bool { return prefix.Contains(addr) }) ||
		id.Name != "" && slices.Contains(p.Hosts, id.Name) ||
		slices.Contains(p.Servers, id)
}

// add takes a word of the option. It reports whether it is one.
func (p *PrivateFrom) add(word string) bool {
	switch word {
	case "private":
		p.Private = true
		return true
	case "vpn":
		p.VPN = true
		return true
	}
	if prefix, err := race.ParsePrefix(word); err == nil && !strings.Contains(word, "%") { // else a link
		p.Prefixes = append(p.Prefixes, prefix)
		return true
	}
	if s, err := server.Parse(word); err == nil {
		p.Servers = append(p.Servers, s.ID)
		return true
	}
	if s, err := server.Parse(server.TLS.String() + "://" + word); err == nil && s.NeedsBootstrap() && !server.HasPort(server.TLS.String()+"://"+word) {
		p.Hosts = append(p.Hosts, s.Name)
		return true
	}
	return false
}

func addPrivateFrom(v *Values, args []string, _ Reader) error {
	for _, arg := range args {
		if !v.PrivateFrom.add(arg) {
			return &ArgError{Arg: arg, Is: "is no upstream", Remedy: "write private, vpn, an address or range of addresses such as 10.1.0.0/16, a host name, or an upstream as it is written elsewhere"}
		}
	}
	return nil
}
