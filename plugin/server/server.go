// Package server says what an upstream resolver is: which one, how it is spoken
// to, and how that is written. It knows neither sockets nor where upstreams come
// from.
package server

import (
	"fmt"
	"net/netip"
)

// ID tells one server from another: servers with equal IDs are one. It can be
// compared, and be the key of a map. What makes two servers different, although
// they have the same address, belongs here.
type ID struct {
	Transport Transport
	Addr      netip.AddrPort
	Name      string // that its certificate must be valid for; empty: its address
}

// Server is a resolver: which one, and what else is known of it. Servers cannot be
// compared with ==, because only their IDs count; see [Server.Equal].
type Server struct {
	ID

	_ [0]func() // makes == an error of the compiler
}

// Plain is a server that is spoken to in plain DNS.
func Plain(addr netip.AddrPort) Server { return Server{ID: ID{Transport: DNS, Addr: addr}} }

// IsValid reports whether s is a server at all, which the zero value is not.
func (s Server) IsValid() bool { return s.Transport != 0 }

// Equal reports whether s and other are the same server.
func (s Server) Equal(other Server) bool { return s.ID == other.ID }

// String writes the server as [Parse] reads it: address and port and, if it is not
// plain DNS, the transport before and the name between these.
func (id ID) String() string {
	if id.Transport == DNS {
		return id.Addr.String()
	}
	host, name := id.Addr.Addr().String(), ""
	if id.Addr.Addr().Is6() {
		host = "[" + host + "]"
	}
	if id.Name != "" {
		name = "%" + id.Name
	}
	return fmt.Sprintf("%s://%s%s:%d", id.Transport, host, name, id.Addr.Port())
}
