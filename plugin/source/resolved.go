//go:build linux

package source

import (
	"context"
	"net/netip"
	"slices"

	"github.com/godbus/dbus/v5"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// newResolved returns systemd-resolved (org.freedesktop.resolve1(5)) as a source of the
// servers of all interfaces, also of those without DefaultRoute, and of its global ones.
func newResolved() *service {
	const manager = dbus.ObjectPath("/org/freedesktop/resolve1")
	s := &service{name: "systemd-resolved", bus: "org.freedesktop.resolve1", path: manager, warming: warmingTime}
	s.ask = func(ctx context.Context, conn *dbus.Conn, present interfaces) ([]server.Server, []Skipped, error) {
		var of resolvedManager
		all, err := s.properties(ctx, conn, manager, s.bus+".Manager")
		if err == nil {
			err = of.take(all)
		}
		if err != nil {
			return nil, nil, err
		}
		overTLS := map[int32]string{0: of.overTLS}
		for _, d := range of.dns {
			if _, known := overTLS[d.Link]; known {
				continue
			}
			overTLS[d.Link] = "" // also if the interface is missing by now
			var path dbus.ObjectPath
			if conn.Object(s.bus, manager).CallWithContext(ctx, s.bus+".Manager.GetLink", dbus.FlagNoAutoStart, d.Link).Store(&path) != nil {
				continue
			}
			if all, err := s.properties(ctx, conn, path, s.bus+".Link"); err == nil {
				overTLS[d.Link], _ = all["DNSOverTLS"].Value().(string)
			}
		}
		servers, skipped := of.servers(overTLS, present)
		return servers, skipped, nil
	}
	return s
}

// resolvedManager is what the object Manager of systemd-resolved has.
type resolvedManager struct {
	dns     []resolvedServer
	domains []resolvedDomain
	overTLS string // DNSOverTLS of the global servers
}

type resolvedServer struct {
	Link    int32 // the interface; 0: none
	Family  int32
	Address []byte
	Port    uint16 // 0: the default
	Name    string // that the certificate must be valid for
}

type resolvedDomain struct {
	Link      int32
	Domain    string
	RouteOnly bool
}

func (m *resolvedManager) take(all map[string]dbus.Variant) error {
	if err := store(all, "DNSEx", &m.dns); err != nil {
		return err
	}
	// They are listed in no order of interfaces, but for each of these in the order of preference.
	slices.SortStableFunc(m.dns, func(a, b resolvedServer) int { return int(a.Link - b.Link) })
	m.overTLS, _ = all["DNSOverTLS"].Value().(string)
	return store(all, "Domains", &m.domains)
}

// servers returns the servers of all interfaces. Those of an interface whose setting
// DNSOverTLS, in overTLS, is "yes" are asked over TLS.
func (m *resolvedManager) servers(overTLS map[int32]string, present interfaces) (all []server.Server, skipped []Skipped) {
	for _, d := range m.dns {
		addr, ok := netip.AddrFromSlice(d.Address)
		if !ok {
			skipped = append(skipped, Skipped{"a server of interface " + present.nameOf(int(d.Link)), "not an IP address"})
			continue
		}
		id := server.ID{Transport: server.DNS, Link: present.nameOf(int(d.Link))}
		if overTLS[d.Link] == "yes" {
			id.Transport, id.Name = server.TLS, d.Name
		}
		port := d.Port
		if port == 0 {
			port = id.Transport.Port()
		}
		id.Addr = netip.AddrPortFrom(addr.Unmap(), port)
		s := server.Server{ID: id}
		for _, of := range m.domains {
			if of.Link == d.Link {
				s.Domains = union(s.Domains, domains(of.Domain))
			}
		}
		all = append(all, s)
	}
	return all, skipped
}
