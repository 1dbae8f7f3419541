package source

import (
	"github.com/dnsmus/dnsmus/plugin/server"
)

// isPlainTwin reports whether s is the server over in plain text: it has the same address,
// on any port, and the same interface or none.
func isPlainTwin(s, over server.Server) bool {
	return !s.Transport.Encrypted() && over.Transport.Encrypted() && s.Addr.Addr() == over.Addr.Addr() && (s.Link == over.Link || s.Link == "")
}

// encrypted returns the server that an entry names as s in plain text, if another part of
// the system has it encrypted: systemd-resolved may ask a server over TLS of which
// NetworkManager and resolvconf know the address only.
func (l *List) encrypted(by *entry, s server.Server) (over server.Server, from *entry, found bool) {
	for _, e := range l.entries {
		if e == by || !e.system {
			continue
		}
		for _, other := range e.last.Servers {
			if isPlainTwin(s, other) {
				return other, e, true
			}
		}
	}
	return over, nil, false
}

// resolve returns the server that is asked where an entry names s, with the domains that the
// entry gives it. What the user has written is asked as it is written.
func (l *List) resolve(by *entry, s server.Server) server.Server {
	over, _, found := l.encrypted(by, s)
	if !found || !by.system {
		return s
	}
	if over.Link == s.Link { // else these may be the domains of another interface
		over.Domains = s.Domains
	} else {
		over.Domains = nil
	}
	over.VPN = over.VPN || s.VPN
	return over
}
