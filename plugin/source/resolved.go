//go:build linux

package source

import (
	"context"
	"errors"
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
		for i, d := range of.dns {
			if d.Link == 0 || i > 0 && d.Link == of.dns[i-1].Link {
				continue
			}
			setting, err := s.linkOverTLS(ctx, conn, d.Link)
			switch {
			case err == nil:
				overTLS[d.Link] = setting
			case !isGone(err): // without the setting servers of strict DNS over TLS would be asked in plain text
				return nil, nil, err
			}
		}
		servers, skipped := of.servers(overTLS, present)
		return servers, skipped, nil
	}
	return s
}

// linkOverTLS returns the setting DNSOverTLS of an interface.
func (s *service) linkOverTLS(ctx context.Context, conn *dbus.Conn, link int32) (setting string, err error) {
	var path dbus.ObjectPath
	if err := conn.Object(s.bus, s.path).CallWithContext(ctx, s.bus+".Manager.GetLink", dbus.FlagNoAutoStart, link).Store(&path); err != nil {
		return "", err
	}
	all, err := s.properties(ctx, conn, path, s.bus+".Link")
	if err == nil {
		err = store(all, "DNSOverTLS", &setting)
	}
	return setting, err
}

// isGone reports whether an error says that an interface is missing by now.
func isGone(err error) bool {
	var refused dbus.Error
	return errors.As(err, &refused) && slices.Contains([]string{
		"org.freedesktop.resolve1.NoSuchLink",
		"org.freedesktop.DBus.Error.UnknownObject",
		"org.freedesktop.DBus.Error.UnknownInterface",
	}, refused.Name)
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
	if err := store(all, "DNSOverTLS", &m.overTLS); err != nil {
		return err
	}
	return store(all, "Domains", &m.domains)
}

// servers returns the servers of all interfaces whose setting DNSOverTLS is in overTLS. They
// are asked over TLS unless that is "no", or "opportunistic", with which plain text will do.
func (m *resolvedManager) servers(overTLS map[int32]string, present interfaces) (all []server.Server, skipped []Skipped) {
	for _, d := range m.dns {
		addr, ok := netip.AddrFromSlice(d.Address)
		if !ok {
			skipped = append(skipped, Skipped{"a server of interface " + present.nameOf(int(d.Link)), "not an IP address"})
			continue
		}
		id := server.ID{Transport: server.DNS, Link: present.nameOf(int(d.Link))}
		setting, known := overTLS[d.Link]
		if !known {
			skipped = append(skipped, Skipped{"a server of interface " + id.Link, "its interface is missing"})
			continue
		}
		if setting != "no" && setting != "opportunistic" {
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
