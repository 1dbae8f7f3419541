// Package server says what an upstream resolver is: which one, how it is asked, and how
// that is written. It knows neither sockets nor where upstreams come from.
package server

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
)

// ID tells one server from another: servers with equal IDs are the same. It is comparable.
// What makes two servers with the same address different belongs here.
type ID struct {
	Transport Transport
	Addr      netip.AddrPort // without a zone; without an IP address if only Name is known, see NeedsBootstrap
	Link      string         // the network interface, by its name or number, over which alone it is asked; empty: the routing table decides
	Name      string         // that its certificate must be valid for; empty: its address
	Path      string         // on an HTTPS server, with the query of a URL; empty: /dns-query
}

// NeedsBootstrap reports whether only the name of the server is known, so that another
// upstream has to be asked for its address first.
func (id ID) NeedsBootstrap() bool { return id.Name != "" && !id.Addr.Addr().IsValid() }

// Zoned is the address, if of IPv6 with the link as its zone.
func (id ID) Zoned() netip.AddrPort {
	return netip.AddrPortFrom(id.Addr.Addr().WithZone(id.Link), id.Addr.Port())
}

// Server is a resolver: which one, and what else is known of it. Servers cannot be
// compared with ==, because only their IDs count; see [Server.Equal].
type Server struct {
	ID
	Domains []string // that the system asks it for, as "corp.example." or ".", in small letters
	VPN     bool     // the system says that it is a VPN's

	_ [0]func() // makes == an error of the compiler
}

// Plain is a server that is asked in plain DNS. The zone of addr becomes its link.
func Plain(addr netip.AddrPort) Server {
	ip := addr.Addr()
	return Server{ID: ID{Transport: DNS, Addr: netip.AddrPortFrom(ip.WithZone(""), addr.Port()), Link: ip.Zone()}}
}

// IsValid reports whether s is a server at all, which the zero value is not.
func (s Server) IsValid() bool { return s.Transport != 0 }

// Equal reports whether s and other are the same server.
func (s Server) Equal(other Server) bool { return s.ID == other.ID }

// LacksBootstrap returns a server that is known by its name alone if all are: then there is
// none that could be asked for its address.
func LacksBootstrap(servers []Server) (s Server, lacks bool) {
	for _, other := range servers {
		if !other.NeedsBootstrap() {
			return Server{}, false
		}
	}
	if len(servers) == 0 {
		return Server{}, false
	}
	return servers[0], true
}

// BootstrapHint tells a user, after the server itself, what to do if no other upstream can
// be asked for its address.
func (s Server) BootstrapHint() string {
	return fmt.Sprintf("is a name, and no upstream has an IP address and could look it up; add one that has, or write the address before the name, as in %s://ADDR%%%s", s.Transport, s.Name)
}

// String writes the server for people, as Written does, but with a hash in place of the path: that
// may be what identifies an account, and who sees a log or metrics need not know it. The hash
// tells servers apart, and is so short that it does not tell the path.
func (id ID) String() string {
	if path := id.Path; path != "" && path != "/" {
		sum := sha256.Sum256([]byte(path))
		id.Path = fmt.Sprintf("%s%x", hashed, sum[:2])
	}
	return id.Written()
}

// hashed is what stands before the hash of a path.
const hashed = "/#"

// Written writes the server as [Parse] reads it: address and port, with the link after the
// address and both in brackets; if it is not plain DNS, the transport before, the name
// between these, and the path after them.
func (id ID) Written() string {
	host, name := id.Addr.Addr().String(), ""
	switch {
	case id.Link != "":
		host = "[" + host + "%" + id.Link + "]"
	case id.Addr.Addr().Is6():
		host = "[" + host + "]"
	}
	if id.Transport == DNS {
		return fmt.Sprintf("%s:%d", host, id.Addr.Port())
	}
	switch {
	case id.NeedsBootstrap():
		host = id.Name
	case id.Name != "":
		name = "%" + id.Name
	}
	return fmt.Sprintf("%s://%s%s:%d%s", id.Transport, host, name, id.Addr.Port(), id.Path)
}
