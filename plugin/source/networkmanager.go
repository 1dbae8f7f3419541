//go:build linux

package source

import (
	"context"
	"net/netip"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// newNetworkManager returns NetworkManager as a source of the servers of all its
// connections, also of those that it leaves out of resolv.conf because of their priority.
func newNetworkManager() *service {
	const path = dbus.ObjectPath("/org/freedesktop/NetworkManager/DnsManager")
	s := &service{name: "NetworkManager", bus: "org.freedesktop.NetworkManager", path: path, warming: warmingTime}
	s.ask = func(ctx context.Context, conn *dbus.Conn, present interfaces) ([]server.Server, []Skipped, error) {
		all, err := s.properties(ctx, conn, path, s.bus+".DnsManager")
		if err != nil {
			return nil, nil, err
		}
		var configuration []map[string]dbus.Variant
		if err := store(all, "Configuration", &configuration); err != nil {
			return nil, nil, err
		}
		servers, skipped := managed(configuration)
		return servers, skipped, nil
	}
	return s
}

// managed returns the servers in the property Configuration of NetworkManager's
// DnsManager: an entry for each connection, or one without interface for all.
func managed(configuration []map[string]dbus.Variant) (all []server.Server, skipped []Skipped) {
	for _, of := range configuration {
		link, _ := of["interface"].Value().(string)
		searched, _ := of["domains"].Value().([]string)
		words, _ := of["nameservers"].Value().([]string)
		vpn, _ := of["vpn"].Value().(bool)
		for _, word := range words {
			s, err := managedServer(word)
			if err != nil {
				skipped = append(skipped, Skipped{server.Quote(word), "not a valid address"})
				continue
			}
			if s.Link == "" {
				s.Link = link
			}
			s.Domains, s.VPN = domains(searched...), vpn
			all = append(all, s)
		}
	}
	return all, skipped
}

// managedServer reads a server as NetworkManager writes it: ADDRESS[#NAME], or
// dns+udp://ADDRESS[:PORT] or dns+tls://ADDRESS[:PORT][#NAME], where an IPv6 address
// stands in brackets and may have a zone. NAME is ignored without TLS.
func managedServer(word string) (server.Server, error) {
	word, name, _ := strings.Cut(word, "#")
	scheme, rest, ok := strings.Cut(word, "://")
	if !ok {
		scheme, rest = "dns+udp", word
	}
	rest = strings.Replace(rest, "%25", "%", 1)
	transport := server.DNS
	switch scheme {
	case "dns+udp":
	case "dns+tls":
		transport = server.TLS
	default:
		return server.Parse(word)
	}
	id := server.ID{Transport: transport}
	addr, err := netip.ParseAddr(strings.Trim(rest, "[]"))
	port := transport.Port()
	if err != nil {
		var with netip.AddrPort
		if with, err = netip.ParseAddrPort(rest); err != nil {
			return server.Server{}, err
		}
		addr, port = with.Addr(), with.Port()
	}
	id.Addr, id.Link = netip.AddrPortFrom(addr.Unmap().WithZone(""), port), addr.Zone()
	if transport == server.TLS {
		id.Name = name
	}
	return server.Server{ID: id}, nil
}
